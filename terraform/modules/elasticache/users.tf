# Users instead of one token: each may have two passwords at once, so that a change needs no pause. The first password is
# made here and so is in the state; scripts/rotate-secrets.sh or `aws elasticache modify-user` replaces it, and Terraform
# does not look at it again.

resource "random_password" "first" {
  length  = 48
  special = false
}

resource "aws_elasticache_user" "server" {
  user_id   = "${var.name}-server"
  user_name = "mcp-rag"
  engine    = "redis"
  # Every key, no command that administers the cache or lists keys, but for INFO.
  access_string = "on ~* &* +@all -@admin -@dangerous +info"
  tags          = var.tags

  authentication_mode {
    type      = "password"
    passwords = [random_password.first.result]
  }

  lifecycle {
    ignore_changes = [authentication_mode]
  }
}

# Every group needs a user of this name; ours may do nothing.
resource "aws_elasticache_user" "default" {
  user_id       = "${var.name}-default"
  user_name     = "default"
  engine        = "redis"
  access_string = "off ~keys* -@all"
  tags          = var.tags

  authentication_mode {
    type = "no-password-required"
  }
}

resource "aws_elasticache_user_group" "this" {
  user_group_id = var.name
  engine        = "redis"
  user_ids      = [aws_elasticache_user.default.user_id, aws_elasticache_user.server.user_id]
  tags          = var.tags
}
