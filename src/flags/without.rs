//! In a build without LaunchDarkly's SDK.

use super::Switches;
use crate::config::LaunchDarklySettings;
use mcp_rag_actors::store::TenantId;

pub(super) enum Remote {}

impl Remote {
    pub(super) async fn start(_: &LaunchDarklySettings) -> Result<Self, String> {
        Err("flags.provider is \"launchdarkly\", and this program was built without the feature `launchdarkly`: \
             build it with default features, or use \"file\""
            .to_owned())
    }

    pub(super) fn of(&self, _: TenantId, _: Switches) -> Switches {
        match *self {}
    }

    pub(super) fn in_general(&self, _: Switches) -> Switches {
        match *self {}
    }

    pub(super) fn state(&self) -> &'static str {
        match *self {}
    }
}
