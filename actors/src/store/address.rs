//! Where a database is and how a connection to it is protected.
//!
//! `sslmode` means what it means to libpq, except that without it a named authority is asked for everything:
//!
//! | `sslmode` | encrypted | its certificate |
//! |---|---|---|
//! | `disable`, or a Unix socket | no | |
//! | `prefer`, the default without `database.tls.ca_file` | where the server can | not checked |
//! | `require` | yes | not checked; with `database.tls.ca_file` as for `verify-ca` |
//! | `verify-ca` | yes | signed by an authority that is trusted |
//! | `verify-full`, the default with `database.tls.ca_file` | yes | that, and the host's |

use crate::tls::{TlsSettings, Verify};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

/// A database as its connection string names it.
#[derive(Clone)]
pub struct Address {
    pub(super) config: Config,
    /// None: never encrypted.
    pub(super) tls: Option<MakeRustlsConnect>,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("config", &self.config).field("tls", &self.tls.is_some()).finish()
    }
}

impl Address {
    /// Reads `database.url`, in either of PostgreSQL's notations. Of several hosts only one that accepts
    /// writes will do, unless the string says otherwise.
    ///
    /// # Errors
    /// What is wrong with it or with a file of `tls`, without repeating it: it may hold a password.
    pub fn parse(url: &str, tls: &TlsSettings) -> Result<Self, String> {
        let mut address = parse(url, tls, "database.url")?;
        let config = &mut address.config;
        let several = config.get_hosts().len().max(config.get_hostaddrs().len()) > 1;
        if several && config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(address)
    }

    /// Reads one of `database.replica_urls`.
    ///
    /// # Errors
    /// As for [`Address::parse`].
    pub fn parse_replica(url: &str, tls: &TlsSettings) -> Result<Self, String> {
        parse(url, tls, "database.replica_urls")
    }

    #[must_use]
    pub fn connecting_within(mut self, limit: Duration) -> Self {
        self.config.connect_timeout(limit);
        self
    }
}

/// The managed PostgreSQL's: over a Unix socket, in a folder of its own.
impl From<Config> for Address {
    fn from(config: Config) -> Self {
        Self { config, tls: None }
    }
}

fn parse(url: &str, tls: &TlsSettings, key: &str) -> Result<Address, String> {
    let (url, verify) = without_verify(url);
    let mut config = Config::from_str(&url).map_err(|error| {
        format!("{key} is not a PostgreSQL connection string ({error}); e.g. postgres://user:password@host:5432/db")
    })?;
    let said = parameters(&url).contains("sslmode");
    if tls.ca_file.is_some() && !said {
        config.ssl_mode(SslMode::Require);
    }
    let verify = match (verify, config.get_ssl_mode()) {
        (_, SslMode::Disable) => return Ok(config.into()),
        (Some(verify), _) => verify,
        (None, SslMode::Require) if !said => Verify::Host,
        (None, SslMode::Require) if tls.ca_file.is_some() => Verify::Chain,
        (None, _) => Verify::Nothing,
    };
    let client = tls.client(verify, "database.tls")?;
    Ok(Address { config, tls: Some(MakeRustlsConnect::new(client)) })
}

/// The string with `require` for each of the two modes that the library leaves to us.
fn without_verify(url: &str) -> (String, Option<Verify>) {
    for (name, verify) in [("verify-full", Verify::Host), ("verify-ca", Verify::Chain)] {
        for said in [format!("sslmode={name}"), format!("sslmode='{name}'"), format!("sslmode = {name}")] {
            let parameters = parameters(url);
            if parameters.contains(&said) {
                let before = &url[..url.len() - parameters.len()];
                return (before.to_owned() + &parameters.replacen(&said, "sslmode=require", 1), Some(verify));
            }
        }
    }
    (url.to_owned(), None)
}

/// Where a mode can stand: of a URL not in what precedes the `?`, which may hold a password.
fn parameters(url: &str) -> &str {
    let in_words = !url.contains("://");
    if in_words { url } else { url.find('?').map_or("", |at| &url[at..]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::parse(url, &TlsSettings::default()).expect("a connection string")
    }

    #[test]
    fn of_several_hosts_one_must_accept_writes_unless_the_url_says_otherwise() {
        let wanted = |url| address(url).config.get_target_session_attrs();
        assert_eq!(wanted("postgres://u@h1,h2/d"), TargetSessionAttrs::ReadWrite);
        assert_eq!(wanted("postgres://u@h1/d"), TargetSessionAttrs::Any);
        assert_eq!(
            wanted("postgres://u@h1,h2/d?target_session_attrs=read-only"),
            TargetSessionAttrs::ReadOnly
        );
        let wrong =
            Address::parse("postgres://u:secret@h:x/d", &TlsSettings::default()).expect_err("no port");
        assert!(wrong.contains("database.url") && !wrong.contains("secret"), "{wrong}");
    }

    #[test]
    fn every_mode_of_libpq_but_one_is_known() {
        let mode = |url| (address(url).config.get_ssl_mode(), address(url).tls.is_some());
        assert_eq!(mode("postgres://u@h/d"), (SslMode::Prefer, true));
        assert_eq!(mode("postgres://u@h/d?sslmode=disable"), (SslMode::Disable, false));
        assert_eq!(mode("postgres://u@h/d?sslmode=require"), (SslMode::Require, true));
        assert_eq!(mode("postgres://u@h/d?sslmode=verify-ca&options=-c%20x=1"), (SslMode::Require, true));
        assert_eq!(mode("postgres://u:sslmode=disable@h/d"), (SslMode::Prefer, true));
        for url in ["host=h user=u sslmode=verify-full", "host=h sslmode='verify-full' user=u"] {
            assert_eq!(mode(url), (SslMode::Require, true));
        }
        // `allow` would try without TLS first: a password in the clear that nobody asked for.
        let wrong = Address::parse("postgres://u@h/d?sslmode=allow", &TlsSettings::default());
        assert!(wrong.is_err());
    }

    #[test]
    fn a_file_that_cannot_be_read_is_an_error_that_names_setting_and_file() {
        let tls = TlsSettings { ca_file: Some("/nowhere/ca.pem".into()), ..TlsSettings::default() };
        let error = Address::parse("postgres://u:secret@h/d", &tls).expect_err("no such file");
        assert!(
            error.starts_with("database.tls.ca_file /nowhere/ca.pem: ") && !error.contains("secret"),
            "{error}"
        );
        let tls = TlsSettings { cert_file: Some("/nowhere/c.pem".into()), ..TlsSettings::default() };
        let error = Address::parse("postgres://u@h/d", &tls).expect_err("half of a pair");
        assert!(error.contains("belong together"), "{error}");
    }
}
