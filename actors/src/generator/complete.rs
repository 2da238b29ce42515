//! Whole short replies of the chat model, for work that nobody watches being written.

use super::chat::{Chat, ReportedUsage};
use super::{Generator, GeneratorHandle, Usage};
use crate::remote::{self, ModelError};
use crate::resilience::Deadline;
use crate::supervise::{Priority, Request, Serve};
use serde::Deserialize;
use serde_json::json;
use std::rc::Rc;
use std::time::Duration;

/// A longer reply is none of what is asked for here.
const MAX_REPLY: usize = 64 * 1024;

/// What to tell the model, and how much it may say.
#[derive(Debug, Clone)]
pub struct Completion {
    pub system: String,
    pub user: String,
    pub max_output_tokens: u32,
}

impl Request for Completion {
    type Reply = Result<(String, Usage), ModelError>;

    fn priority(&self) -> Priority {
        Priority::Bulk
    }
}

#[derive(Deserialize)]
struct Reply {
    choices: Vec<Choice>,
    usage: Option<ReportedUsage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
}

impl Serve<Completion> for Generator {
    async fn serve(self: Rc<Self>, completion: Completion, _: Deadline) -> <Completion as Request>::Reply {
        match self.model.get().as_ref() {
            Some(model) => model.complete(&completion).await,
            None => Err(ModelError::NotConfigured),
        }
    }
}

impl Chat {
    async fn complete(&self, completion: &Completion) -> <Completion as Request>::Reply {
        let body = json!({
            "model": self.model,
            "messages": [
                {"role": "system", "content": completion.system},
                {"role": "user", "content": completion.user},
            ],
            "max_tokens": completion.max_output_tokens.min(self.max_output_tokens),
            "temperature": 0,
        });
        let reply: Reply = self.api.json("/chat/completions", &body, MAX_REPLY).await?;
        let usage = reply.usage.map_or(Usage::default(), |usage| Usage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
        });
        let text = reply.choices.into_iter().next().and_then(|choice| choice.message.content);
        let text = text.ok_or_else(|| ModelError::failed("the reply has no choice with text"))?;
        Ok((text, usage))
    }
}

impl GeneratorHandle {
    /// A reply of the chat model, and what it says that took. Behind its circuit, as answers are; whoever comes first when it may be back asks
    /// for itself, because work that waits can find out for everybody.
    ///
    /// # Cancel safety
    /// Dropping the call closes its connection.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn complete(
        &self,
        completion: Completion,
        deadline: Deadline,
    ) -> Result<(String, Usage), ModelError> {
        let Some(circuit) = self.circuit() else { return Err(ModelError::NotConfigured) };
        let pass = circuit.admit()?;
        let timeout = Duration::from_millis(self.settings.get().timeout_ms);
        let called = self.handle.call(completion, deadline.capped(timeout)).await;
        let outcome = called.map_err(ModelError::from).flatten();
        remote::conclude(pass, &outcome);
        outcome
    }
}
