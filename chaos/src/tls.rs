//! Authorities that nobody else trusts, and certificates of theirs, as files.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A certificate with its key. The files live as long as their [`Authority`].
#[derive(Debug, Clone)]
pub struct Pair {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// Its own, self-signed certificate is in [`Authority::file`].
pub struct Authority {
    home: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// # Panics
    /// When this machine has no room for three small files.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).expect("its rights");
        let key = KeyPair::generate().expect("a key");
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        fs::write(home.path().join("ca.pem"), certificate.pem()).expect("a file");
        Self { issuer: Issuer::new(params, key), home }
    }

    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.home.path().join("ca.pem")
    }

    /// A certificate for hosts or addresses, in files called so.
    ///
    /// # Panics
    /// As for [`Authority::new`].
    #[must_use]
    pub fn issue(&self, file: &str, hosts: &[&str]) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let certificate = named(file, hosts).signed_by(&key, &self.issuer).expect("a certificate");
        let at = |end: &str| self.home.path().join(format!("{file}.{end}"));
        let pair = Pair { cert: at("crt"), key: at("key") };
        fs::write(&pair.cert, certificate.pem()).expect("a file");
        fs::write(&pair.key, key.serialize_pem()).expect("a file");
        pair
    }
}

impl Pair {
    /// A copy that another user, who must not let others read it, can use.
    pub(crate) fn copy_to(&self, folder: &Path, owner: Option<(u32, u32)>) {
        for (from, name) in [(&self.cert, "server.crt"), (&self.key, "server.key")] {
            let to = folder.join(name);
            fs::copy(from, &to).expect("a copy");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o600)).expect("its rights");
            if let Some((uid, gid)) = owner {
                std::os::unix::fs::chown(&to, Some(uid), Some(gid)).expect("its owner");
            }
        }
    }
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("names of hosts");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
