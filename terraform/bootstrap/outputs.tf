output "state_bucket" {
  description = "Value of `bucket` in environments/ENV.s3.tfbackend."
  value       = module.state.name
}

output "kms_key_arn" {
  description = "Key of the states; whoever plans needs its use."
  value       = module.key.arn
}
