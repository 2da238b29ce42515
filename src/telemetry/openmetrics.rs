//! The exporter's text as OpenMetrics 1.0, for scrapers that ask for it: with exemplars, which the older form has
//! no place for.

use super::exemplars::Exemplars;

pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// The histogram that has exemplars.
const BUCKET: &str = "mcp_rag_http_request_seconds_bucket{";

/// Whether an `Accept` header asks for it.
#[must_use]
pub fn is_wanted(accept: &str) -> bool {
    accept.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        parts.next() == Some("application/openmetrics-text")
            && parts.all(|parameter| !matches!(parameter, "q=0" | "q=0.0"))
    })
}

/// `text` is in Prometheus' text format, a family's lines together.
#[must_use]
pub fn openmetrics(text: &str, exemplars: &Exemplars) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    // The format allows no empty line.
    for line in text.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("# TYPE ").and_then(|family| family.strip_suffix("_total counter")) {
            // A counter's family is named without the ending that its sample has.
            Some(family) => out.extend(["# TYPE ", family, " counter"]),
            None => out.push_str(line),
        }
        if let Some((labels, _)) = line.strip_prefix(BUCKET).and_then(|rest| rest.rsplit_once("} "))
            && let Some((route, bound)) = route_and_bound(labels)
            && let Some(exemplar) = exemplars.behind(route, bound)
        {
            out.push_str(&exemplar);
        }
        out.push('\n');
    }
    out.push_str("# EOF\n");
    out
}

/// `route="/v1/search",le="0.5"`: patterns hold neither quotation marks nor commas.
fn route_and_bound(labels: &str) -> Option<(&str, &str)> {
    let value = |name: &str| {
        let pairs = labels.split(',').filter_map(|pair| pair.split_once('='));
        pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.trim_matches('"'))
    };
    value("route").zip(value("le"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_who_asks_for_it_gets_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert!(is_wanted(prometheus));
        for other in ["", "*/*", "text/plain;version=0.0.4", "application/openmetrics-text;q=0"] {
            assert!(!is_wanted(other), "{other}");
        }
    }

    #[test]
    fn families_end_the_text_is_ended_and_a_bucket_names_its_trace() {
        let exemplars = Exemplars::default();
        exemplars.record("/v1/search", Duration::from_millis(700), "4bf9");
        let text = "# TYPE mcp_rag_http_shed_total counter\nmcp_rag_http_shed_total{priority=\"search\"} 1\n\n\
                    # TYPE mcp_rag_http_request_seconds histogram\n\
                    mcp_rag_http_request_seconds_bucket{route=\"/v1/search\",le=\"0.5\"} 3\n\
                    mcp_rag_http_request_seconds_bucket{route=\"/v1/search\",le=\"1\"} 4\n\n";
        let open = openmetrics(text, &exemplars);
        let lines: Vec<_> = open.lines().collect();
        assert_eq!(lines[0], "# TYPE mcp_rag_http_shed counter");
        assert_eq!(lines[1], "mcp_rag_http_shed_total{priority=\"search\"} 1");
        assert!(!lines[3].contains("trace_id"), "{open}");
        assert!(lines[4].contains("le=\"1\"} 4 # {trace_id=\"4bf9\"} 0.7 "), "{open}");
        assert_eq!((lines.len(), lines[5]), (6, "# EOF"));
    }
}
