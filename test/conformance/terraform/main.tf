terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

variable "endpoint" {}
variable "public_key" {}
variable "size" { default = "t3.micro" } # what the second apply changes
variable "disk" { default = 4 }
variable "label" { default = "first" }

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

data "aws_caller_identity" "me" {}
data "aws_region" "here" {}
data "aws_availability_zones" "all" {}

data "aws_ami" "tiny" {
  owners      = ["amazon"]
  most_recent = true
  filter {
    name   = "name"
    values = ["tiny-*"]
  }
}

# The network.

resource "aws_vpc" "main" {
  cidr_block                       = "10.20.0.0/16"
  enable_dns_hostnames             = true
  assign_generated_ipv6_cidr_block = true
  tags                             = { Name = var.label }
}

resource "aws_vpc_ipv4_cidr_block_association" "more" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.21.0.0/16"
}

resource "aws_vpc_dhcp_options" "main" {
  domain_name         = "example.internal"
  domain_name_servers = ["AmazonProvidedDNS"]
  ntp_servers         = ["169.254.169.123"]
  tags                = { Name = var.label }
}

resource "aws_vpc_dhcp_options_association" "main" {
  vpc_id          = aws_vpc.main.id
  dhcp_options_id = aws_vpc_dhcp_options.main.id
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
  tags   = { Name = var.label }
}

resource "aws_egress_only_internet_gateway" "main" { vpc_id = aws_vpc.main.id }

resource "aws_subnet" "public" {
  vpc_id                          = aws_vpc.main.id
  cidr_block                      = "10.20.1.0/24"
  ipv6_cidr_block                 = cidrsubnet(aws_vpc.main.ipv6_cidr_block, 8, 1)
  assign_ipv6_address_on_creation = true
  availability_zone               = "us-east-1a"
  map_public_ip_on_launch         = true
  tags                            = { Name = var.label }
}

resource "aws_subnet" "private" {
  vpc_id               = aws_vpc.main.id
  cidr_block           = "10.20.2.0/24"
  availability_zone_id = "use1-az1"
}

resource "aws_subnet" "second" {
  vpc_id     = aws_vpc_ipv4_cidr_block_association.more.vpc_id
  cidr_block = "10.21.1.0/24"
}

resource "aws_eip" "nat" {
  vpc  = true
  tags = { Name = var.label }
}

resource "aws_nat_gateway" "main" {
  allocation_id = aws_eip.nat.id
  subnet_id     = aws_subnet.public.id
  depends_on    = [aws_internet_gateway.main]
  tags          = { Name = var.label }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.main.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.main.id
  }
  route {
    ipv6_cidr_block        = "::/0"
    egress_only_gateway_id = aws_egress_only_internet_gateway.main.id
  }
  tags = { Name = var.label }
}

resource "aws_route_table_association" "public" {
  subnet_id      = aws_subnet.public.id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" { vpc_id = aws_vpc.main.id }

resource "aws_route" "out" {
  route_table_id         = aws_route_table.private.id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.main.id
}

resource "aws_main_route_table_association" "main" {
  vpc_id         = aws_vpc.main.id
  route_table_id = aws_route_table.private.id
}

resource "aws_network_acl" "main" {
  vpc_id     = aws_vpc.main.id
  subnet_ids = [aws_subnet.private.id]
  ingress {
    protocol   = "tcp"
    rule_no    = 100
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 65535
  }
  egress {
    protocol   = "-1"
    rule_no    = 100
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  tags = { Name = var.label }
}

resource "aws_network_acl" "bare" { vpc_id = aws_vpc.main.id }

resource "aws_network_acl_rule" "ping" {
  network_acl_id = aws_network_acl.bare.id
  rule_number    = 200
  egress         = false
  protocol       = "icmp"
  rule_action    = "allow"
  cidr_block     = "0.0.0.0/0"
  icmp_type      = -1
  icmp_code      = -1
}

resource "aws_vpc" "other" { cidr_block = "10.30.0.0/16" }

resource "aws_vpc_peering_connection" "other" {
  vpc_id      = aws_vpc.main.id
  peer_vpc_id = aws_vpc.other.id
  auto_accept = true
  accepter { allow_remote_vpc_dns_resolution = true }
  requester { allow_remote_vpc_dns_resolution = false }
  tags = { Name = var.label }
}

resource "aws_route" "other" {
  route_table_id            = aws_route_table.private.id
  destination_cidr_block    = "10.30.0.0/16"
  vpc_peering_connection_id = aws_vpc_peering_connection.other.id
}

# What comes with a VPC, and the default VPC, taken over.

resource "aws_default_security_group" "other" {
  vpc_id = aws_vpc.other.id
  tags   = { Name = var.label }
}

resource "aws_default_network_acl" "other" {
  default_network_acl_id = aws_vpc.other.default_network_acl_id
  ingress {
    protocol   = "-1"
    rule_no    = 100
    action     = "allow"
    cidr_block = "10.0.0.0/8"
    from_port  = 0
    to_port    = 0
  }
}

resource "aws_default_route_table" "other" {
  default_route_table_id = aws_vpc.other.default_route_table_id
  tags                   = { Name = var.label }
}

resource "aws_default_vpc" "own" { tags = { Name = var.label } }
resource "aws_default_subnet" "a" { availability_zone = "us-east-1a" }

# Who may reach whom.

resource "aws_security_group" "ssh" {
  name        = "ssh"
  description = "ssh from anywhere"
  vpc_id      = aws_vpc.main.id
  ingress {
    description = var.label
    protocol    = "tcp"
    from_port   = 22
    to_port     = 22
    cidr_blocks = ["0.0.0.0/0"]
  }
  ingress {
    protocol  = "icmp"
    from_port = -1
    to_port   = -1
    self      = true
  }
  egress {
    protocol         = "-1"
    from_port        = 0
    to_port          = 0
    cidr_blocks      = ["0.0.0.0/0"]
    ipv6_cidr_blocks = ["::/0"]
  }
  tags = { Name = var.label }
}

resource "aws_security_group" "web" {
  name_prefix = "web-"
  vpc_id      = aws_vpc.main.id
}

resource "aws_security_group_rule" "http" {
  security_group_id = aws_security_group.web.id
  type              = "ingress"
  protocol          = "tcp"
  from_port         = 80
  to_port           = 80
  cidr_blocks       = ["10.0.0.0/8"]
  description       = "http"
}

resource "aws_security_group_rule" "behind" {
  security_group_id        = aws_security_group.web.id
  type                     = "ingress"
  protocol                 = "tcp"
  from_port                = 8080
  to_port                  = 8090
  source_security_group_id = aws_security_group.ssh.id
}

resource "aws_key_pair" "me" {
  key_name   = "me"
  public_key = var.public_key
}

# What an instance may do.

resource "aws_iam_role" "app" {
  name        = "app"
  description = var.label
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
  tags = { Name = var.label }
}

resource "aws_iam_role_policy" "app" {
  name   = "read"
  role   = aws_iam_role.app.id
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "ec2:Describe*", Resource = "*" }] })
}

resource "aws_iam_policy" "tag" {
  name   = "tag"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "ec2:CreateTags", Resource = "*", Condition = { StringEquals = { "ec2:Region" = var.label } } }] })
}

resource "aws_iam_role_policy_attachment" "app" {
  role       = aws_iam_role.app.name
  policy_arn = aws_iam_policy.tag.arn
}

resource "aws_iam_instance_profile" "app" {
  name = "app"
  role = aws_iam_role.app.name
}

resource "aws_iam_user" "bot" {
  name = "bot"
  tags = { Name = var.label }
}

resource "aws_iam_access_key" "bot" { user = aws_iam_user.bot.name }

resource "aws_iam_user_policy" "bot" {
  name   = "run"
  user   = aws_iam_user.bot.name
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "ec2:RunInstances", Resource = "*" }] })
}

resource "aws_iam_user_policy_attachment" "bot" {
  user       = aws_iam_user.bot.name
  policy_arn = aws_iam_policy.tag.arn
}

# Machines.

resource "aws_placement_group" "far" {
  name     = "far"
  strategy = "spread"
}

resource "aws_instance" "app" {
  ami                     = data.aws_ami.tiny.id
  instance_type           = var.size
  key_name                = aws_key_pair.me.key_name
  subnet_id               = aws_subnet.public.id
  vpc_security_group_ids  = [aws_security_group.ssh.id]
  iam_instance_profile    = aws_iam_instance_profile.app.name
  user_data               = "#!/bin/sh\necho built > /tmp/built\n"
  disable_api_termination = false
  placement_group         = aws_placement_group.far.name
  ipv6_address_count      = 1
  root_block_device {
    volume_size = 2
    volume_type = "gp2"
  }
  credit_specification { cpu_credits = "standard" }
  tags        = { Name = var.label }
  volume_tags = { Name = var.label }
}

# Alone, since devices written here and attachments written beside fight over one list.
resource "aws_instance" "disks" {
  ami           = data.aws_ami.tiny.id
  instance_type = "t3.nano"
  subnet_id     = aws_subnet.private.id
  monitoring    = true
  ebs_block_device {
    device_name = "/dev/sdf"
    volume_size = 1
    encrypted   = true
  }
  ebs_block_device {
    device_name = "/dev/sdg"
    volume_size = 4
    volume_type = "io1"
    iops        = 100
  }
  ephemeral_block_device {
    device_name = "/dev/sdz"
    no_device   = true
  }
}

resource "aws_network_interface" "second" {
  depends_on        = [aws_eip_association.app] # by the instance, which EC2 takes while it has one interface
  subnet_id         = aws_subnet.public.id
  private_ips       = ["10.20.1.50", "10.20.1.51"]
  security_groups   = [aws_security_group.web.id]
  source_dest_check = false
  description       = var.label
  attachment {
    instance     = aws_instance.app.id
    device_index = 1
  }
  tags = { Name = var.label }
}

resource "aws_network_interface" "bare" { subnet_id = aws_subnet.private.id }

resource "aws_network_interface_attachment" "bare" {
  instance_id          = aws_instance.disks.id
  network_interface_id = aws_network_interface.bare.id
  device_index         = 1
}

resource "aws_network_interface_sg_attachment" "bare" {
  security_group_id    = aws_security_group.ssh.id
  network_interface_id = aws_network_interface.bare.id
}

resource "aws_eip" "app" { vpc = true }

resource "aws_eip_association" "app" {
  allocation_id = aws_eip.app.id
  instance_id   = aws_instance.app.id
}

resource "aws_ebs_volume" "data" {
  availability_zone = "us-east-1a"
  size              = var.disk
  type              = "io1"
  iops              = 100
  tags              = { Name = var.label }
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdh"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.app.id
}

resource "aws_ebs_snapshot" "data" {
  volume_id   = aws_ebs_volume.data.id
  description = "of data"
  tags        = { Name = var.label }
}

resource "aws_ebs_snapshot_copy" "data" {
  source_snapshot_id = aws_ebs_snapshot.data.id
  source_region      = "us-east-1"
  encrypted          = true
}

resource "aws_snapshot_create_volume_permission" "data" {
  snapshot_id = aws_ebs_snapshot.data.id
  account_id  = "123456789012"
}

resource "aws_ami_from_instance" "app" {
  name               = "app"
  source_instance_id = aws_instance.app.id
  tags               = { Name = var.label }
}

resource "aws_ami_copy" "app" {
  name              = "app-copy"
  source_ami_id     = aws_ami_from_instance.app.id
  source_ami_region = "us-east-1"
  encrypted         = true
}

resource "aws_ami_launch_permission" "app" {
  image_id   = aws_ami_from_instance.app.id
  account_id = "123456789012"
}

resource "aws_ami" "registered" {
  name                = "registered"
  virtualization_type = "hvm"
  root_device_name    = "/dev/xvda"
  ena_support         = true
  ebs_block_device {
    device_name = "/dev/xvda"
    snapshot_id = aws_ebs_snapshot.data.id
    volume_size = 5
  }
  tags = { Name = var.label }
}

resource "aws_launch_template" "app" {
  name                                 = "app"
  image_id                             = data.aws_ami.tiny.id
  instance_type                        = var.size
  key_name                             = aws_key_pair.me.key_name
  description                          = var.label
  ebs_optimized                        = "false"
  instance_initiated_shutdown_behavior = "terminate"
  user_data                            = base64encode("#!/bin/sh\n")
  block_device_mappings {
    device_name = "/dev/sdf"
    ebs {
      volume_size           = 1
      delete_on_termination = true
    }
  }
  credit_specification { cpu_credits = "standard" }
  iam_instance_profile { name = aws_iam_instance_profile.app.name }
  monitoring { enabled = true }
  network_interfaces {
    device_index    = 0
    subnet_id       = aws_subnet.private.id
    security_groups = [aws_security_group.ssh.id]
  }
  placement { availability_zone = "us-east-1a" }
  tag_specifications {
    resource_type = "instance"
    tags          = { Name = var.label }
  }
  tags = { Name = var.label }
}

resource "aws_ec2_capacity_reservation" "some" {
  instance_type     = "t3.nano"
  instance_platform = "Linux/UNIX"
  availability_zone = "us-east-1a"
  instance_count    = 1
  tags              = { Name = var.label }
}

resource "aws_spot_instance_request" "one" {
  ami                  = data.aws_ami.tiny.id
  instance_type        = "t3.nano"
  subnet_id            = aws_subnet.public.id
  wait_for_fulfillment = true
  spot_type            = "one-time"
  tags                 = { Name = var.label }
}

# What is read.

data "aws_instance" "app" { instance_id = aws_instance.app.id }
data "aws_instances" "label" {
  instance_tags = { Name = aws_instance.app.tags.Name }
}
data "aws_vpc" "main" { id = aws_vpc.main.id }
data "aws_subnet_ids" "main" { vpc_id = aws_subnet.public.vpc_id }
data "aws_security_group" "ssh" { id = aws_security_group.ssh.id }
data "aws_route_table" "public" { subnet_id = aws_route_table_association.public.subnet_id }
data "aws_ebs_volume" "data" {
  filter {
    name   = "volume-id"
    values = [aws_ebs_volume.data.id]
  }
}
data "aws_launch_template" "app" { name = aws_launch_template.app.name }
data "aws_network_interface" "second" { id = aws_network_interface.second.id }
data "aws_eip" "app" { id = aws_eip_association.app.allocation_id }
data "aws_vpcs" "all" {}
data "aws_vpc_dhcp_options" "main" { dhcp_options_id = aws_vpc_dhcp_options.main.id }
data "aws_vpc_peering_connection" "other" { id = aws_vpc_peering_connection.other.id }
data "aws_subnet" "private" { id = aws_subnet.private.id }
data "aws_security_groups" "web" {
  filter {
    name   = "group-id"
    values = [aws_security_group.web.id]
  }
}
data "aws_internet_gateway" "main" { internet_gateway_id = aws_internet_gateway.main.id }
data "aws_nat_gateway" "main" { id = aws_nat_gateway.main.id }
data "aws_network_acls" "main" { vpc_id = aws_network_acl.main.vpc_id }
data "aws_network_interfaces" "main" {
  filter {
    name   = "subnet-id"
    values = [aws_network_interface.bare.subnet_id]
  }
}
data "aws_route" "out" {
  route_table_id         = aws_route.out.route_table_id
  destination_cidr_block = aws_route.out.destination_cidr_block
}
data "aws_route_tables" "main" { vpc_id = aws_route_table.public.vpc_id }
data "aws_availability_zone" "a" { name = aws_subnet.public.availability_zone }
data "aws_ami_ids" "own" {
  owners = ["self"]
  filter {
    name   = "image-id"
    values = [aws_ami_from_instance.app.id]
  }
}
data "aws_ebs_snapshot" "data" { snapshot_ids = [aws_ebs_snapshot.data.id] }
data "aws_ebs_snapshot_ids" "data" {
  filter {
    name   = "volume-id"
    values = [aws_ebs_snapshot.data.volume_id]
  }
}
data "aws_iam_role" "app" { name = aws_iam_role.app.name }
data "aws_iam_instance_profile" "app" { name = aws_iam_instance_profile.app.name }
data "aws_iam_policy" "tag" { arn = aws_iam_policy.tag.arn }
data "aws_iam_user" "bot" { user_name = aws_iam_user.bot.name }
data "aws_ssm_parameter" "image" { name = "/aws/service/slipway/tiny/latest" }

output "address" { value = data.aws_eip.app.public_ip }
