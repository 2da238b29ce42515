//! Certificates of the connections we open: whom we trust and what we show, read from files.
//!
//! One implementation for all of them, rustls with ring, TLS 1.2 and 1.3. Errors name the setting and the file, and
//! never what is in it.

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files of a connection that may use TLS.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSettings {
    /// Authorities that are trusted instead of the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// What we show where the other side wants to know us, with `key_file`.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

/// What of the other side's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verify {
    /// Nothing: keeps out who only listens.
    Nothing,
    /// That a trusted authority has signed it.
    Chain,
    /// That, and that it is the host's.
    Host,
}

impl TlsSettings {
    /// Every file that is named, with its setting.
    pub fn files(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let files =
            [("ca_file", &self.ca_file), ("cert_file", &self.cert_file), ("key_file", &self.key_file)];
        files.into_iter().filter_map(|(name, path)| Some((name, path.as_deref()?)))
    }

    /// `section` is where these settings are, for errors: `database.tls`.
    pub(crate) fn client(&self, verify: Verify, section: &str) -> Result<ClientConfig, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match verify {
            Verify::Nothing => Arc::new(Lenient { trusted: None, provider: Arc::clone(&provider) }),
            Verify::Chain => {
                let trusted = Some(self.trusted(&provider, section)?);
                Arc::new(Lenient { trusted, provider: Arc::clone(&provider) })
            }
            Verify::Host => self.trusted(&provider, section)?,
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        match (&self.cert_file, &self.key_file) {
            (None, None) => Ok(config.with_no_client_auth()),
            (Some(cert), Some(key)) => {
                let chain = certificates(cert).map_err(|error| format!("{section}.cert_file {error}"))?;
                let key = private_key(key).map_err(|error| format!("{section}.key_file {error}"))?;
                config
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| format!("{section}.cert_file and {section}.key_file: {error}"))
            }
            (Some(_), None) | (None, Some(_)) => {
                Err(format!("{section}.cert_file and {section}.key_file belong together"))
            }
        }
    }

    fn trusted(
        &self,
        provider: &Arc<CryptoProvider>,
        section: &str,
    ) -> Result<Arc<WebPkiServerVerifier>, String> {
        let roots = match &self.ca_file {
            Some(path) => authorities(path).map_err(|error| format!("{section}.ca_file {error}"))?,
            None => systems_own(),
        };
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|error| format!("no authority is trusted ({error}): set {section}.ca_file"))
    }
}

/// What the operating system trusts; `SSL_CERT_FILE` and `SSL_CERT_DIR` say otherwise.
fn systems_own() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Authorities of a PEM file; at least one.
///
/// # Errors
/// The file and what is wrong with it.
pub fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(roots)
}

/// Certificates of a PEM file, in its order; at least one.
///
/// # Errors
/// As for [`authorities`].
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| format!("{}: {error}", path.display()))?;
    if certificates.is_empty() {
        return Err(format!("{}: no certificate in it", path.display()));
    }
    Ok(certificates)
}

/// The first private key of a PEM file.
///
/// # Errors
/// As for [`authorities`].
pub fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Does not look at the name, and without authorities not at who signed either: libpq's `verify-ca` and `require`.
/// That the other side holds the certificate's key is always checked.
#[derive(Debug)]
struct Lenient {
    trusted: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trusted) = &self.trusted else { return Ok(ServerCertVerified::assertion()) };
        // The name is looked at last: an error about it says that all else is well.
        match trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
