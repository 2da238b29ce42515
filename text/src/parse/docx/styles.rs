//! Paragraph styles, with what each takes over from the one it is based on.

use crate::parse::xml::Element;
use std::collections::HashMap;

/// A chain of styles longer than this is a circle.
const MAX_CHAIN: usize = 32;
const CODE: [&str; 6] =
    ["source code", "code", "code block", "html preformatted", "preformatted text", "macro text"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Text,
    /// Of level 1 (a document's title) to 6.
    Heading(u8),
    Code,
}

/// What is in force for a paragraph.
pub(super) struct Style {
    pub(super) role: Role,
    /// The list it belongs to, and its level there.
    pub(super) number: Option<(String, usize)>,
    /// The level of a list that its style names without numbering it.
    pub(super) bullet: Option<usize>,
}

#[derive(Default)]
pub(super) struct Styles {
    by_id: HashMap<String, Own>,
    default: Option<String>,
}

#[derive(Default)]
struct Own {
    name: String,
    based_on: Option<String>,
    outline: Option<u8>,
    list: Option<String>,
    level: Option<usize>,
}

impl Styles {
    pub(super) fn read(part: Option<&Element>) -> Self {
        let mut styles = Self::default();
        for style in part.into_iter().flat_map(|part| part.all("style")) {
            let Some(id) = style.attribute("styleId") else { continue };
            let mut own = Own::of(style.child("pPr"));
            own.name = style.value("name").unwrap_or_default().to_lowercase();
            own.based_on = style.value("basedOn").map(str::to_owned);
            let is_paragraphs = style.attribute("type") == Some("paragraph");
            if is_paragraphs && matches!(style.attribute("default"), Some("1" | "true")) {
                styles.default = Some(id.to_owned());
            }
            styles.by_id.insert(id.to_owned(), own);
        }
        styles
    }

    pub(super) fn of(&self, properties: Option<&Element>) -> Style {
        let direct = Own::of(properties);
        let id = properties.and_then(|properties| properties.value("pStyle")).map(str::to_owned);
        let mut next = id.or_else(|| self.default.clone());
        let (mut role, mut bullet) = (None, None);
        let (mut outline, mut list, mut level) = (direct.outline, direct.list, direct.level);
        for _ in 0..MAX_CHAIN {
            let Some(style) = next.as_ref().and_then(|id| self.by_id.get(id)) else { break };
            role = role.or_else(|| named(&style.name));
            bullet = bullet.or_else(|| bulleted(&style.name));
            outline = outline.or(style.outline);
            list = list.or_else(|| style.list.clone());
            level = level.or(style.level);
            next.clone_from(&style.based_on);
        }
        // Level 9 is body text.
        let outlined = outline.filter(|level| *level < 9).map(|level| Role::Heading((level + 2).min(6)));
        // `0` takes a paragraph out of its style's list.
        let number = list.filter(|list| list != "0").map(|list| (list, level.unwrap_or(0).min(8)));
        Style { role: role.or(outlined).unwrap_or(Role::Text), number, bullet }
    }
}

impl Own {
    fn of(properties: Option<&Element>) -> Self {
        let Some(properties) = properties else { return Self::default() };
        let number = properties.child("numPr");
        Self {
            outline: properties.value("outlineLvl").and_then(|level| level.parse().ok()),
            list: number.and_then(|number| number.value("numId")).map(str::to_owned),
            level: number.and_then(|number| number.value("ilvl")).and_then(|level| level.parse().ok()),
            ..Self::default()
        }
    }
}

/// Names of built-in styles are English in every language's Word.
fn named(name: &str) -> Option<Role> {
    if name == "title" {
        return Some(Role::Heading(1));
    }
    if CODE.contains(&name) {
        return Some(Role::Code);
    }
    let level: u8 = name.strip_prefix("heading ")?.parse().ok()?;
    (1..=9).contains(&level).then_some(Role::Heading((level + 1).min(6)))
}

fn bulleted(name: &str) -> Option<usize> {
    let level = name.strip_prefix("list bullet")?.trim();
    if level.is_empty() {
        Some(0)
    } else {
        level.parse::<usize>().ok().map(|level| level.saturating_sub(1).min(8))
    }
}
