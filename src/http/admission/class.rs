use actix_web::http::Method;

/// What a request is, for its place in the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Answered from the cache where it can be.
    Search,
    /// Reads.
    Interactive,
    Write,
    Answer,
    /// Long and cheap: streams of events, and waiting for a job.
    Stream,
}

impl Class {
    pub(super) const ALL: [Self; 5] =
        [Self::Search, Self::Interactive, Self::Write, Self::Answer, Self::Stream];

    /// None for what is never refused.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let route = path.strip_prefix("/v1/")?;
        match (method, route) {
            (&Method::GET, "system" | "system/metrics") => None,
            (&Method::POST, "search") => Some(Self::Search),
            (&Method::POST, route) if is_search_of_store(route) => Some(Self::Interactive),
            (_, "answers" | "chat/completions") => Some(Self::Answer),
            (&Method::GET, route) if route.starts_with("jobs/") && route.ends_with("/events") => {
                Some(Self::Stream)
            }
            (&Method::GET, route) if route.ends_with("/export") && route.split('/').count() == 3 => {
                Some(Self::Stream)
            }
            (&Method::GET | &Method::HEAD | &Method::OPTIONS, _) => Some(Self::Interactive),
            _ => Some(Self::Write),
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Interactive => "interactive",
            Self::Write => "write",
            Self::Answer => "answer",
            Self::Stream => "stream",
        }
    }
}

/// `vector_stores/{id}/search`
fn is_search_of_store(route: &str) -> bool {
    let id = route.strip_prefix("vector_stores/").and_then(|rest| rest.strip_suffix("/search"));
    id.is_some_and(|id| !id.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_documentation_and_the_servers_own_state_are_never_refused() {
        for path in [
            "/health/ready",
            "/health",
            "/docs",
            "/openapi.json",
            "/metrics",
            "/v1/system",
            "/v1/system/metrics",
        ] {
            assert_eq!(Class::of(&Method::GET, path), None, "{path}");
        }
    }

    #[test]
    fn every_other_request_has_its_class() {
        for (method, path, class) in [
            (Method::POST, "/v1/search", Class::Search),
            (Method::GET, "/v1/collections/a", Class::Interactive),
            (Method::GET, "/v1/jobs", Class::Interactive),
            (Method::GET, "/v1/jobs/job_1/events", Class::Stream),
            (Method::GET, "/v1/collections/a/export", Class::Stream),
            (Method::GET, "/v1/collections/a/documents/export", Class::Interactive),
            (Method::POST, "/v1/collections/a/import", Class::Write),
            (Method::DELETE, "/v1/jobs/job_1", Class::Write),
            (Method::PUT, "/v1/collections/a/documents/x", Class::Write),
            (Method::POST, "/v1/collections/a/documents", Class::Write),
            (Method::POST, "/v1/answers", Class::Answer),
            (Method::POST, "/v1/chat/completions", Class::Answer),
            (Method::POST, "/v1/vector_stores/vs_1/search", Class::Interactive),
            (Method::POST, "/v1/vector_stores/vs_1/files/search", Class::Write),
            (Method::POST, "/v1/vector_stores/vs_1/files", Class::Write),
            (Method::POST, "/v1/embeddings", Class::Write),
        ] {
            assert_eq!(Class::of(&method, path), Some(class), "{method} {path}");
        }
    }
}
