// Package guestimage makes the images instances start from: tiny and debian-12, both from Debian's packages, and whatever
// cloud image an owner brings. An image is a directory with a manifest; it is complete or it is not there, and it is made
// once: a directory is named by the recipe that made it, so a changed recipe makes a new one and an unchanged one costs
// nothing. The package installs nothing on the host and leaves no mount behind; it knows neither accounts nor AMIs.
package guestimage
