//! Why a chat model that is there is not used.

use super::{Caller, Rag};
use crate::flags::SWITCHED_OFF;
use crate::quotas::Spent;
use crate::rag::search::Degradation;

#[derive(Debug, Clone, Copy)]
pub(super) enum Withheld {
    SwitchedOff,
    Spent(Spent),
}

impl Withheld {
    /// As `degraded` has it.
    fn reason(self) -> &'static str {
        match self {
            Self::SwitchedOff => SWITCHED_OFF,
            Self::Spent(spent) => spent.as_str(),
        }
    }

    pub(super) fn degradation(self, fallback: &str) -> Degradation {
        Degradation::new("generator", self.reason(), fallback)
    }
}

impl std::fmt::Display for Withheld {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SwitchedOff => write!(f, "the chat model is switched off"),
            Self::Spent(spent) => write!(f, "the tokens of the chat model are used up ({})", spent.as_str()),
        }
    }
}

impl Rag {
    /// Where there is a chat model: why it may not be asked for this caller.
    pub(super) async fn withheld(&self, caller: &Caller) -> Option<Withheld> {
        self.generator.model()?;
        if !self.switches(caller.tenant).chat_model {
            return Some(Withheld::SwitchedOff);
        }
        self.quotas.spent(&caller.identity, &self.settings()).await.map(Withheld::Spent)
    }
}
