//! The public listener's certificate: read at the start, and replaced while it serves.
//!
//! A connection keeps the certificate it began with; the next one gets the newest, so that a rotation loses no request.

use crate::config::{ConfigError, ServerTls};
use arc_swap::ArcSwap;
use mcp_rag_actors::tls::{authorities, certificates, private_key};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use x509_cert::der::Decode;

/// The certificate in use.
#[derive(Debug)]
pub(super) struct Certificate(ArcSwap<CertifiedKey>);

impl Certificate {
    /// What the settings name; none without TLS.
    ///
    /// # Errors
    /// The setting and the file that cannot be used.
    pub(super) fn read(tls: &ServerTls) -> Result<Option<CertifiedKey>, ConfigError> {
        let Some((cert, key)) = tls.cert_file.as_ref().zip(tls.key_file.as_ref()) else { return Ok(None) };
        let named = |setting: &str, error: String| ConfigError(format!("server.tls.{setting} {error}"));
        let chain = certificates(cert).map_err(|error| named("cert_file", error))?;
        let key = private_key(key).map_err(|error| named("key_file", error))?;
        // Also when only one of the two files is new as yet.
        let certified = CertifiedKey::from_der(chain, key, &default_provider());
        certified.map(Some).map_err(|error| named("cert_file", format!("{}: {error}", cert.display())))
    }

    pub(super) fn new(first: CertifiedKey) -> Arc<Self> {
        Arc::new(Self(ArcSwap::from_pointee(first)))
    }

    pub(super) fn replace(&self, next: CertifiedKey) {
        self.0.store(Arc::new(next));
        self.measure();
    }

    /// Tells until when the chain is good: its first certificate that ends.
    pub(super) fn measure(&self) {
        let certified = self.0.load();
        let ends = certified.cert.iter().filter_map(|one| x509_cert::Certificate::from_der(one).ok());
        let ends = ends.map(|one| one.tbs_certificate.validity.not_after.to_unix_duration().as_secs_f64());
        if let Some(first) = ends.min_by(f64::total_cmp) {
            metrics::gauge!("mcp_rag_tls_certificate_expiry_timestamp_seconds").set(first);
        }
    }

    /// TLS 1.2 and 1.3 with this certificate, and with clients' where an authority of theirs is named.
    pub(super) fn listener(self: &Arc<Self>, tls: &ServerTls) -> Result<ServerConfig, ConfigError> {
        let provider: Arc<CryptoProvider> = Arc::new(default_provider());
        let clients = match &tls.client_ca_file {
            None => Arc::new(NoClientAuth) as _,
            Some(path) => {
                let named = |error: String| ConfigError(format!("server.tls.client_ca_file {error}"));
                let roots = Arc::new(authorities(path).map_err(named)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
                verifier.build().map_err(|error| named(error.to_string()))?
            }
        };
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError(error.to_string()))?;
        let resolver = Arc::clone(self) as Arc<dyn ResolvesServerCert>;
        Ok(config.with_client_cert_verifier(clients).with_cert_resolver(resolver))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}
