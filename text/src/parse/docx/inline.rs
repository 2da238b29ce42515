//! What stands in a paragraph: its text, and what floats beside it.

use super::math;
use crate::parse::xml::{Element, Node};

const MONOSPACED: [&str; 7] =
    ["courier", "consolas", "menlo", "monaco", "lucida console", "monospace", "source code pro"];

#[derive(Default)]
pub(super) struct Inline<'a> {
    pub(super) text: String,
    /// Contents of text boxes.
    pub(super) boxes: Vec<&'a Element>,
    /// Ids of relations to charts.
    pub(super) charts: Vec<String>,
    /// Whether every run with text is set in a typewriter's face.
    pub(super) is_monospaced: bool,
    runs: usize,
    monospaced_runs: usize,
    /// Within a field's instructions, which are not text.
    in_instructions: bool,
}

impl<'a> Inline<'a> {
    pub(super) fn read(paragraph: &'a Element) -> Self {
        let mut inline = Self::default();
        inline.children(paragraph);
        inline.is_monospaced = inline.runs > 0 && inline.runs == inline.monospaced_runs;
        inline
    }

    fn children(&mut self, parent: &'a Element) {
        parent.elements().for_each(|element| self.element(element));
    }

    fn element(&mut self, element: &'a Element) {
        match element.name.as_str() {
            "r" => {
                let before = self.text.len();
                self.children(element);
                if self.text.len() > before {
                    self.runs += 1;
                    self.monospaced_runs += usize::from(is_monospaced(element));
                }
            }
            "t" if !self.in_instructions => self.text.push_str(&element.text()),
            "tab" | "ptab" => self.text.push('\t'),
            "br" if matches!(element.attribute("type"), Some("page" | "column")) => {}
            "br" | "cr" => self.text.push('\n'),
            "noBreakHyphen" => self.text.push('-'),
            "fldChar" => {
                self.in_instructions = element.attribute("fldCharType") == Some("begin");
            }
            "sdt" => self.control(element),
            "oMath" => self.equation(element, "$"),
            "oMathPara" => element.all("oMath").for_each(|one| self.equation(one, "$$")),
            "AlternateContent" => {
                // The same thing twice, for older and newer readers.
                let choice = element.child("Choice").filter(|choice| holds_something(choice));
                if let Some(chosen) = choice.or_else(|| element.child("Fallback")) {
                    self.children(chosen);
                }
            }
            "drawing" | "pict" | "object" => self.drawing(element),
            "pPr" | "rPr" | "del" | "moveFrom" | "instrText" | "delText" | "delInstrText" => {}
            _ => self.children(element),
        }
    }

    /// A content control: a check box stands for its state.
    fn control(&mut self, element: &'a Element) {
        let checkbox = element.child("sdtPr").and_then(|properties| properties.child("checkbox"));
        if let Some(checkbox) = checkbox {
            let checked = checkbox.is_on("checked");
            self.text.push_str(if checked { "- [x] " } else { "- [ ] " });
        } else if let Some(content) = element.child("sdtContent") {
            self.children(content);
        }
    }

    fn equation(&mut self, element: &Element, fence: &str) {
        let latex = math::latex(element);
        if !latex.trim().is_empty() {
            self.text.push_str(fence);
            self.text.push_str(latex.trim());
            self.text.push_str(fence);
        }
    }

    fn drawing(&mut self, element: &'a Element) {
        for child in element.elements() {
            match child.name.as_str() {
                "txbxContent" => self.boxes.push(child),
                "chart" => self.charts.extend(child.attribute("id").map(str::to_owned)),
                "AlternateContent" => {
                    let chosen = child.child("Choice").filter(|choice| holds_something(choice));
                    if let Some(chosen) = chosen.or_else(|| child.child("Fallback")) {
                        self.drawing(chosen);
                    }
                }
                _ => self.drawing(child),
            }
        }
    }
}

fn holds_something(choice: &Element) -> bool {
    choice.children.iter().any(|node| matches!(node, Node::Element(_)))
}

fn is_monospaced(run: &Element) -> bool {
    let fonts = run.child("rPr").and_then(|properties| properties.child("rFonts"));
    let face = fonts.and_then(|fonts| fonts.attribute("ascii")).unwrap_or_default().to_lowercase();
    MONOSPACED.iter().any(|known| face.starts_with(known))
}
