//! Source code to a syntax tree, and what its nodes are called.
//!
//! Bounded: sources beyond [`MAX_SOURCE`] are not read, and a parse that takes more steps than any sane source needs
//! is given up, by a count and not by a clock, so that equal input gives equal chunks.

use std::ops::ControlFlow;

use tree_sitter::{Node, ParseOptions, Parser, Tree};

use crate::SourceLanguage;

/// Longer sources are generated, or data.
const MAX_SOURCE: usize = 1 << 20;
/// A call of the parser's progress stands for about a hundred steps; a source needs a few steps per token.
const STEPS_PER_CALL: usize = 100;
const MOST_STEPS_PER_BYTE: usize = 20;
const MAX_LABEL: usize = 80;

/// The tree, where it can be had. Errors in the source are nodes of it.
pub(super) fn tree(language: SourceLanguage, source: &str) -> Option<Tree> {
    if source.len() > MAX_SOURCE {
        return None;
    }
    let grammar = match language {
        SourceLanguage::C => tree_sitter_c::LANGUAGE,
        SourceLanguage::Cpp => tree_sitter_cpp::LANGUAGE,
        SourceLanguage::Go => tree_sitter_go::LANGUAGE,
        SourceLanguage::Java => tree_sitter_java::LANGUAGE,
        SourceLanguage::JavaScript => tree_sitter_javascript::LANGUAGE,
        SourceLanguage::Python => tree_sitter_python::LANGUAGE,
        SourceLanguage::Rust => tree_sitter_rust::LANGUAGE,
        SourceLanguage::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
        SourceLanguage::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
    };
    let mut parser = Parser::new();
    parser.set_language(&grammar.into()).ok()?;
    let mut calls_left = 1_000 + source.len() * MOST_STEPS_PER_BYTE / STEPS_PER_CALL;
    let mut progress = |_: &tree_sitter::ParseState| {
        calls_left = calls_left.saturating_sub(1);
        if calls_left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let bytes = source.as_bytes();
    parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options))
}

/// Whether it belongs to what follows it.
pub(super) fn is_remark(node: &Node<'_>) -> bool {
    matches!(
        node.kind(),
        "comment"
            | "line_comment"
            | "block_comment"
            | "attribute_item"
            | "inner_attribute_item"
            | "decorator"
            | "marker_annotation"
            | "annotation"
    )
}

/// What an item is called (`impl Duck for Bird`, `class Duck`, `fn quack`); none where it is no item.
pub(super) fn label(node: &Node<'_>, source: &str) -> Option<String> {
    let inner = match node.kind() {
        "decorated_definition" => node.child_by_field_name("definition"),
        "export_statement" => node.child_by_field_name("declaration"),
        "template_declaration" => node.named_child(1),
        "lexical_declaration" | "type_declaration" => node.named_child(0),
        _ => None,
    };
    // An exported declaration of a function is two deep.
    let innermost = inner
        .and_then(|inner| if inner.kind() == "lexical_declaration" { inner.named_child(0) } else { None });
    named(&innermost.or(inner).unwrap_or(*node), source)
}

fn named(node: &Node<'_>, source: &str) -> Option<String> {
    let keyword = match node.kind() {
        "impl_item" => {
            let end = node.child_by_field_name("body").map_or(node.end_byte(), |body| body.start_byte());
            return shortened(source.get(node.start_byte()..end)?);
        }
        "function_item" => "fn ",
        "function_definition" if node.child_by_field_name("name").is_some() => "def ",
        "function_declaration" if is_go(node) => "func ",
        "function_declaration" | "generator_function_declaration" => "function ",
        "struct_item" => "struct ",
        "struct_specifier" | "union_specifier" | "enum_specifier" | "class_specifier"
            if node.child_by_field_name("body").is_none() =>
        {
            return None;
        }
        "struct_specifier" => "struct ",
        "union_item" | "union_specifier" => "union ",
        "enum_item" | "enum_declaration" | "enum_specifier" => "enum ",
        "trait_item" => "trait ",
        "mod_item" => "mod ",
        "macro_definition" => "macro_rules! ",
        "class_definition" | "class_declaration" | "abstract_class_declaration" | "class_specifier" => {
            "class "
        }
        "interface_declaration" => "interface ",
        "record_declaration" => "record ",
        "type_alias_declaration" | "type_spec" => "type ",
        "internal_module" | "module" | "namespace_definition" => "namespace ",
        "method_definition" | "method_declaration" | "constructor_declaration" | "function_definition" => "",
        "variable_declarator" => {
            let value = node.child_by_field_name("value")?;
            if !matches!(value.kind(), "arrow_function" | "function_expression" | "class") {
                return None;
            }
            ""
        }
        _ => return None,
    };
    let name = name(node)?;
    shortened(&format!("{keyword}{}", source.get(name.byte_range())?))
}

fn is_go(node: &Node<'_>) -> bool {
    node.child(0).is_some_and(|first| first.kind() == "func")
}

/// The name; in C and C++ it stands inside of declarators.
fn name<'tree>(node: &Node<'tree>) -> Option<Node<'tree>> {
    if let Some(name) = node.child_by_field_name("name") {
        return Some(name);
    }
    let mut declarator = node.child_by_field_name("declarator")?;
    for _ in 0..8 {
        match declarator.child_by_field_name("declarator") {
            Some(inner) => declarator = inner,
            None => return Some(declarator),
        }
    }
    None
}

/// On one line, of some length at most.
fn shortened(label: &str) -> Option<String> {
    let words: Vec<&str> = label.split_whitespace().take(MAX_LABEL).collect();
    let label: String = words.join(" ").chars().take(MAX_LABEL).collect();
    label.chars().any(char::is_alphanumeric).then_some(label)
}
