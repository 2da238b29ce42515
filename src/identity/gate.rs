use super::jwt::{self, Door, Tokens};
use super::keys::Keys;
use super::{Credential, Identity, secret};
use crate::config::Environment;
use crate::error::{Code, Error};
use crate::rag::Rag;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the use of keys is written down.
const WRITE_EVERY: Duration = Duration::from_secs(5);

/// Tells whose a credential is.
pub struct Gate {
    rag: Arc<Rag>,
    keys: Keys,
    /// Where tokens are accepted.
    tokens: Option<Tokens>,
    /// Whoever comes without a credential where none is needed, and with the operator's token.
    open: Arc<Identity>,
    operator: Arc<Identity>,
}

impl Gate {
    #[must_use]
    pub fn new(rag: Arc<Rag>) -> Self {
        let keys = Keys::new(rag.store.clone());
        let [open, operator] = [Credential::None, Credential::Token].map(Identity::operator).map(Arc::new);
        let tokens = rag.settings().auth.jwt.is_on().then(|| Tokens::new(Arc::clone(&rag)));
        Self { rag, keys, tokens, open, operator }
    }

    /// Whose credential this is. What looks like a key is one, also where none is needed.
    ///
    /// # Errors
    /// [`Code::Unauthorized`] and [`Code::InvalidToken`] for one that is nobody's; [`Code::Unavailable`] or [`Code::Overloaded`] where that
    /// cannot be known now.
    pub async fn identify(&self, presented: Option<&[u8]>, door: Door) -> Result<Arc<Identity>, Error> {
        let settings = self.rag.settings();
        let guarded = settings.auth.token.is_some() || self.tokens.is_some();
        let open = settings.environment == Environment::Development && !guarded;
        if self.rag.running.accepts(presented, Instant::now()) {
            return Ok(Arc::clone(&self.operator));
        }
        if let Some((presented, prefix)) = presented.and_then(|one| Some((one, secret::prefix(one)?))) {
            let identity = self.keys.identify(presented, prefix, &settings.auth).await?;
            let identity = identity.ok_or_else(unauthorized)?;
            self.rag.audit.used(&identity);
            return Ok(identity);
        }
        if let (Some(tokens), Some(presented)) = (&self.tokens, presented.filter(|one| jwt::is_one(one))) {
            return tokens.identify(presented, door, &settings).await;
        }
        if open { Ok(Arc::clone(&self.open)) } else { Err(unauthorized()) }
    }

    /// After a key was changed: this process sees it at once.
    pub async fn forget(&self, prefix: &str) {
        self.keys.forget(prefix).await;
    }

    /// Writes down when keys were used, every now and then, for as long as it is polled.
    ///
    /// # Cancel safety
    /// Dropped, what was noted since the last time is forgotten, unless [`Self::write_down`] is called.
    pub async fn keep_up(&self) {
        loop {
            tokio::time::sleep(WRITE_EVERY).await;
            self.write_down().await;
        }
    }

    pub async fn write_down(&self) {
        self.keys.write_down().await;
        self.rag.audit.flush().await;
    }
}

pub(crate) fn unauthorized() -> Error {
    let message = "a valid credential is needed: Authorization: Bearer <token>, or X-API-Key: <token>";
    Error::new(Code::Unauthorized, message)
}
