//! A flat document tree. Deeply nested or unclosed markup costs no stack and no search beyond the depth limit.

use super::tag::Tag;

pub(super) type NodeId = usize;

/// An element or a text. Children are a linked list, so that no node owns a vector.
pub(super) struct Node {
    pub tag: Tag,
    /// A text's words, or an image's description. `None` for other elements.
    pub text: Option<Box<str>>,
    /// Columns a cell spans, or the number an ordered list starts at.
    pub number: u32,
    /// Rows a cell spans.
    pub rows: u32,
    /// For a table: it holds headings or tables.
    pub nests: bool,
    /// For a table: it has header cells.
    pub headed: bool,
    /// Visible characters inside, roughly; what the choice of the content rests on.
    weight: usize,
    parent: NodeId,
    first_child: Option<NodeId>,
    last_child: Option<NodeId>,
    next: Option<NodeId>,
}

impl Node {
    /// Whether a table lays out a page rather than data.
    pub(super) fn lays_out(&self) -> bool {
        self.nests && !self.headed
    }
}

pub(super) struct Tree {
    nodes: Vec<Node>,
    title: String,
}

pub(super) const ROOT: NodeId = 0;
/// A title is one line.
const MAX_TITLE_BYTES: usize = 1_000;

impl Tree {
    pub(super) fn new() -> Self {
        Self { nodes: vec![node(Tag::Block, ROOT)], title: String::new() }
    }

    /// Adds the last child of `parent`. `None` when the tree is as large as it may be.
    pub(super) fn append(&mut self, parent: NodeId, tag: Tag, max_nodes: usize) -> Option<NodeId> {
        let id = self.nodes.len();
        if id >= max_nodes {
            return None;
        }
        self.nodes.push(node(tag, parent));
        match self.nodes[parent].last_child.replace(id) {
            Some(previous) => self.nodes[previous].next = Some(id),
            None => self.nodes[parent].first_child = Some(id),
        }
        Some(id)
    }

    pub(super) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id]
    }

    pub(super) fn add_title(&mut self, text: &str) {
        if self.title.len() + text.len() <= MAX_TITLE_BYTES {
            self.title.push_str(text);
        }
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    pub(super) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.nodes[id].first_child, |&child| self.nodes[child].next)
    }

    /// The roots of the content: `<main>`, else the outermost `<article>`s, when they hold a good part of the
    /// page's text (an empty application shell does not); else the whole page.
    pub(super) fn content(&self) -> Vec<NodeId> {
        let page = self.nodes[ROOT].weight;
        for (tag, share) in [(Tag::Main, 4), (Tag::Article, 2)] {
            let roots = self.outermost(tag);
            let weight: usize = roots.iter().map(|&root| self.nodes[root].weight).sum();
            if weight > 0 && weight >= page / share {
                return roots;
            }
        }
        vec![ROOT]
    }

    fn outermost(&self, tag: Tag) -> Vec<NodeId> {
        let mut inside = vec![false; self.nodes.len()];
        let mut roots = Vec::new();
        // Parents come before their children.
        for (id, node) in self.nodes.iter().enumerate() {
            let covered = inside[node.parent] || matches!(node.tag, Tag::Hidden | Tag::Furniture);
            if !covered && node.tag == tag {
                roots.push(id);
            }
            inside[id] = covered || node.tag == tag;
        }
        roots
    }

    /// Sums up how much text each element holds; called once, when the tree is complete.
    pub(super) fn weigh(&mut self) {
        for id in (1..self.nodes.len()).rev() {
            let node = &self.nodes[id];
            let own = node.text.as_ref().map_or(0, |text| text.split_whitespace().map(str::len).sum());
            let counts = !matches!(node.tag, Tag::Hidden | Tag::Furniture | Tag::Header);
            let parent = node.parent;
            self.nodes[id].weight += own;
            if counts {
                self.nodes[parent].weight += self.nodes[id].weight;
            }
        }
    }
}

fn node(tag: Tag, parent: NodeId) -> Node {
    Node {
        tag,
        text: None,
        number: 1,
        rows: 1,
        nests: false,
        headed: false,
        weight: 0,
        parent,
        first_child: None,
        last_child: None,
        next: None,
    }
}
