output "budget_name" {
  description = "The month's budget."
  value       = aws_budgets_budget.month.name
}

output "scheduled" {
  description = "Whether the environment sleeps outside working hours."
  value       = local.scheduled
}
