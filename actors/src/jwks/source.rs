//! One look at the keys, by HTTP or in a file.

use reqwest::header::{ACCEPT, CACHE_CONTROL};
use reqwest::{Client, Response};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Of a whole set; those of large issuers have a tenth of it.
const MAX_BYTES: usize = 256 * 1024;

/// Where the keys are.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Url { client: Client, url: String },
    File(PathBuf),
}

/// What a look brought, and for how long it is good where the issuer says so.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) bytes: Vec<u8>,
    pub(super) max_age: Option<Duration>,
}

impl Source {
    pub(super) fn of_url(url: &str, timeout: Duration) -> Result<Self, String> {
        let client = Client::builder()
            .timeout(timeout)
            // Whose keys are trusted is decided by the URL that was configured and by no other.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("mcp-rag/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| error.without_url().to_string())?;
        Ok(Self::Url { client, url: url.to_owned() })
    }

    /// # Errors
    /// For the log: a status, a transport error or what is wrong with a file, never content.
    pub(super) async fn fetch(&self) -> Result<Fetched, String> {
        match self {
            Self::Url { client, url } => {
                let asked = client.get(url).header(ACCEPT, "application/jwk-set+json, application/json");
                read(asked.send().await.map_err(text)?).await
            }
            Self::File(path) => {
                let path = path.clone();
                let reading = tokio::task::spawn_blocking(move || read_file(&path));
                reading.await.unwrap_or_else(|_| Err("reading the file failed".to_owned()))
            }
        }
    }
}

async fn read(mut response: Response) -> Result<Fetched, String> {
    if response.status() != reqwest::StatusCode::OK {
        return Err(format!("status {}", response.status().as_u16()));
    }
    let control = response.headers().get(CACHE_CONTROL).and_then(|value| value.to_str().ok());
    let max_age = control.and_then(max_age);
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(text)? {
        if bytes.len() + piece.len() > MAX_BYTES {
            return Err(format!("a reply of more than {MAX_BYTES} bytes"));
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(Fetched { bytes, max_age })
}

pub(super) fn read_file(path: &Path) -> Result<Fetched, String> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() > MAX_BYTES {
        return Err(format!("a file of more than {MAX_BYTES} bytes"));
    }
    Ok(Fetched { bytes, max_age: None })
}

/// Without the URL, and with the cause: "error sending request" alone says little.
fn text(error: reqwest::Error) -> String {
    let error = error.without_url();
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("{error}{cause}")
}

fn max_age(control: &str) -> Option<Duration> {
    let mut directives = control.split(',').map(str::trim);
    if directives
        .clone()
        .any(|one| one.eq_ignore_ascii_case("no-store") || one.eq_ignore_ascii_case("no-cache"))
    {
        return Some(Duration::ZERO);
    }
    let seconds = directives.find_map(|one| {
        let (name, value) = one.split_once('=')?;
        name.eq_ignore_ascii_case("max-age").then(|| value.trim_matches('"').parse().ok())?
    });
    seconds.map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_reply_is_good_is_read_from_its_header() {
        for (control, seconds) in [
            ("max-age=300", Some(300)),
            ("public, MAX-AGE=\"60\", must-revalidate", Some(60)),
            ("max-age=300, no-cache", Some(0)),
            ("No-Store", Some(0)),
            ("public", None),
            ("s-maxage=7", None),
            ("max-age=-1", None),
            ("max-age=99999999999999999999999", None),
        ] {
            assert_eq!(max_age(control), seconds.map(Duration::from_secs), "{control}");
        }
    }
}
