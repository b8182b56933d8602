# A network, a launch template, an instance with a role, a volume and an elastic address, on slipway.
#
# Not run by us as it stands: today's AWS provider cannot be had where slipway is built. Its calls, in its order, are tests (TestTerraforms… in
# test/e2e), and provider 1.60 applies a longer configuration, test/conformance/terraform/main.tf, in `make conformance`. Say so if this one fails.
#
# var.endpoint is what `make run` and `slipway dev` print; keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" { default = "http://127.0.0.1:4566" }

provider "aws" {
  region                      = "us-east-1"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  endpoints {
    ec2 = var.endpoint
    iam = var.endpoint
    ssm = var.endpoint
    sts = var.endpoint
  }
}

data "aws_ami" "tiny" {
  owners      = ["amazon"]
  most_recent = true
  filter {
    name   = "name"
    values = ["tiny-*"]
  }
}

resource "aws_vpc" "main" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_internet_gateway" "main" { vpc_id = aws_vpc.main.id }

resource "aws_subnet" "a" {
  vpc_id                  = aws_vpc.main.id
  cidr_block              = "10.20.1.0/24"
  availability_zone       = "us-east-1a"
  map_public_ip_on_launch = true
}

resource "aws_route_table" "main" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
}

resource "aws_route_table_association" "a" {
  subnet_id      = aws_subnet.a.id
  route_table_id = aws_route_table.main.id
}

resource "aws_security_group" "ssh" {
  vpc_id = aws_vpc.main.id
  ingress {
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_key_pair" "me" { public_key = file("~/.ssh/id_ed25519.pub") }

resource "aws_iam_role" "app" {
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}

resource "aws_iam_role_policy_attachment" "look" {
  role       = aws_iam_role.app.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"
}

resource "aws_iam_instance_profile" "app" { role = aws_iam_role.app.name }

resource "aws_instance" "web" {
  ami                    = data.aws_ami.tiny.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.a.id
  key_name               = aws_key_pair.me.key_name
  vpc_security_group_ids = [aws_security_group.ssh.id]
  iam_instance_profile   = aws_iam_instance_profile.app.name
  metadata_options { http_tokens = "required" }
  tags = { Name = "web" }
}

resource "aws_launch_template" "worker" {
  image_id      = data.aws_ami.tiny.id
  instance_type = "t3.micro"
  key_name      = aws_key_pair.me.key_name
}

resource "aws_instance" "worker" {
  subnet_id = aws_subnet.a.id
  launch_template {
    id      = aws_launch_template.worker.id
    version = "$Latest"
  }
}

resource "aws_ebs_volume" "data" {
  availability_zone = "us-east-1a"
  size              = 2
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.web.id
}

resource "aws_eip" "web" { instance = aws_instance.web.id }

output "ssh" { value = "ssh admin@${aws_eip.web.public_ip}" }
