//! XML as a tree of bounded depth and size, by local names: the prefixes of namespaces differ between producers.

use super::{ParseError, ParseLimits};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

#[derive(Debug, Default)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    pub(super) children: Vec<Node>,
}

#[derive(Debug)]
pub(super) enum Node {
    Element(Element),
    Text(String),
}

impl Element {
    /// By local name.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The attribute `r:id`: a relation's, while `id` without a prefix is a number.
    pub(super) fn relation(&self) -> Option<&str> {
        let mut ids = self.attributes.iter().filter(|(key, _)| key == "id").map(|(_, value)| value.as_str());
        ids.rfind(|id| id.parse::<u64>().is_err())
    }

    pub(super) fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.elements().filter(move |element| element.name == name)
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.elements().find(|element| element.name == name)
    }

    /// The first of this name below, at any depth.
    pub(super) fn find(&self, name: &str) -> Option<&Self> {
        self.elements()
            .find_map(|element| if element.name == name { Some(element) } else { element.find(name) })
    }

    /// The children's attribute `val`: how OOXML writes most properties.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.child(name)?.attribute("val")
    }

    /// A switch: present without `val`, or with one that does not say no.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.child(name)
            .is_some_and(|child| !matches!(child.attribute("val"), Some("0" | "false" | "off" | "none")))
    }

    /// All text below.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.add_text(&mut text);
        text
    }

    fn add_text(&self, text: &mut String) {
        for node in &self.children {
            match node {
                Node::Element(element) => element.add_text(text),
                Node::Text(own) => text.push_str(own),
            }
        }
    }
}

/// Reads a document; returns its root element.
pub(super) fn read(source: &str, format: &'static str, limits: &ParseLimits) -> Result<Element, ParseError> {
    let malformed =
        |error: &dyn std::fmt::Display| ParseError::Malformed { format, reason: error.to_string() };
    let mut reader = Reader::from_str(source);
    let mut open = vec![Element::default()];
    let mut nodes = 0;
    loop {
        let event = reader.read_event().map_err(|error| malformed(&error))?;
        nodes += 1;
        if nodes > limits.max_nodes {
            return Err(ParseError::TooComplex { limit: limits.max_nodes });
        }
        match event {
            Event::Start(start) => {
                if open.len() > limits.max_depth {
                    return Err(ParseError::TooDeep { limit: limits.max_depth });
                }
                open.push(element(&start));
            }
            Event::Empty(start) => attach(&mut open, Node::Element(element(&start))),
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    attach(&mut open, Node::Element(element));
                }
            }
            Event::Text(text) => add(&mut open, &text.xml10_content()),
            Event::CData(text) => add(&mut open, &text.xml10_content()),
            Event::GeneralRef(reference) => add(&mut open, &referred(&reference)),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if open.len() != 1 {
        return Err(malformed(&"it ends in the middle of an element"));
    }
    let document = open.pop().unwrap_or_default();
    let root = document.children.into_iter().find_map(|node| match node {
        Node::Element(element) => Some(element),
        Node::Text(_) => None,
    });
    root.ok_or_else(|| malformed(&"it has no element"))
}

fn attach(open: &mut [Element], node: Node) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(node);
    }
}

fn add(open: &mut [Element], text: &str) {
    let Some(parent) = open.last_mut() else { return };
    match parent.children.last_mut() {
        Some(Node::Text(before)) => before.push_str(text),
        _ => parent.children.push(Node::Text(text.to_owned())),
    }
}

fn element(start: &BytesStart<'_>) -> Element {
    let mut attributes = start.attributes();
    let attributes = attributes.with_checks(false).filter_map(Result::ok).filter_map(|attribute| {
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).ok()?;
        Some((attribute.key.local_name().as_ref().to_owned(), value.into_owned()))
    });
    let attributes = attributes.collect();
    Element { name: start.local_name().as_ref().to_owned(), attributes, children: Vec::new() }
}

/// Characters by number and the five names of XML; other names expand to nothing, so that nothing multiplies.
pub(super) fn referred(reference: &BytesRef<'_>) -> String {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return if character == '\0' { " ".to_owned() } else { character.to_string() };
    }
    match reference.xml10_content().as_ref() {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => "",
    }
    .to_owned()
}
