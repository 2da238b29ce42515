//! The table for people (Markdown) and for machines (JSON).

use super::verdict::Verdict;
use std::fmt::Write as _;

#[must_use]
pub fn json(verdicts: &[Verdict]) -> String {
    serde_json::to_string_pretty(verdicts).unwrap_or_default()
}

#[must_use]
pub fn markdown(verdicts: &[Verdict]) -> String {
    let mut text = String::from(
        "| Fault | sent | answered | degraded | failed, by code | recovery p50 / p99 ms (n) | hung | wrong | \
         acknowledged, lost | memory MB | p95 ms search, answer | |\n|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for verdict in verdicts {
        let _ = writeln!(text, "| {} |", cells(verdict).join(" | "));
    }
    let failed: Vec<&Verdict> = verdicts.iter().filter(|verdict| !verdict.holds()).collect();
    for verdict in &failed {
        let _ = writeln!(text, "\n**{}**", verdict.fault);
        for line in verdict.problem.iter().chain(&verdict.wrong_examples).chain(&verdict.lost).take(8) {
            let short: String = line.chars().take(1500).collect();
            let _ = writeln!(text, "- {}", short.replace('\n', "\n  "));
        }
    }
    let held = verdicts.len() - failed.len();
    let _ = writeln!(text, "\n{held} of {} rows hold.", verdicts.len());
    text
}

fn cells(verdict: &Verdict) -> Vec<String> {
    let failed: Vec<String> = verdict.failed.iter().map(|(code, n)| format!("{n} × {code}")).collect();
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.0}"));
    let pair = |[healthy, fault]: [Option<f64>; 2]| format!("{}→{}", number(healthy), number(fault));
    let mut remarks = verdict.notes.clone();
    remarks.extend(verdict.missed.iter().map(|missed| format!("**missed: {missed}**")));
    remarks.push(if verdict.holds() { "ok".to_owned() } else { "**FAILED**".to_owned() });
    vec![
        verdict.fault.clone(),
        verdict.sent.to_string(),
        verdict.answered.to_string(),
        verdict.degraded.to_string(),
        if failed.is_empty() { "0".to_owned() } else { failed.join(", ") },
        format!(
            "{} / {} ({})",
            number(verdict.recovery_p50_ms),
            number(verdict.recovery_p99_ms),
            verdict.recoveries
        ),
        verdict.hung.to_string(),
        verdict.wrong.to_string(),
        format!("{}, {}", verdict.acknowledged, verdict.lost.len()),
        format!("{:.0}→{:.0}", verdict.memory_before_mb, verdict.memory_after_mb),
        format!("{}, {}", pair(verdict.search_p95_ms), pair(verdict.answer_p95_ms)),
        remarks.join("; "),
    ]
}

/// One line while the table grows.
pub(super) fn line(verdict: &Verdict) -> String {
    let cells = cells(verdict);
    let mut text = format!("{:<48}", cells[0]);
    for (name, at) in [
        ("sent", 1),
        ("ok", 2),
        ("degraded", 3),
        ("failed", 4),
        ("recovery", 5),
        ("hung", 6),
        ("wrong", 7),
        ("acked/lost", 8),
        ("MB", 9),
        ("p95", 10),
    ] {
        let _ = write!(text, " {name} {}", cells[at]);
    }
    let _ = write!(text, " {}", cells[11]);
    if let Some(problem) = &verdict.problem {
        let short: String = problem.lines().next().unwrap_or_default().chars().take(200).collect();
        let _ = write!(text, " {short}");
    }
    text
}
