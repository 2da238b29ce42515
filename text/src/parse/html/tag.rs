//! The elements that matter to text, by what they do to it.

/// An element's role in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    /// Runs on in the line: `a`, `b`, `span`, and every unknown element.
    Inline,
    /// Stands on its own: `div`, `section`, `figure` …
    Block,
    Paragraph,
    Heading(u8),
    List,
    OrderedList,
    Item,
    Term,
    Description,
    DescriptionList,
    Preformatted,
    Code,
    Quote,
    Table,
    /// `thead`, `tbody`, `tfoot`.
    RowGroup,
    Row,
    Cell,
    HeaderCell,
    Break,
    Image,
    Rule,
    Main,
    Article,
    /// `header`: furniture of a page, but the title block of an article.
    Header,
    /// `nav`, `footer`, `aside`.
    Furniture,
    Title,
    /// `script`, `style`, form controls, drawings: never text.
    Hidden,
    /// Empty elements without meaning here: `meta`, `link`, `wbr` …
    Void,
}

impl Tag {
    /// `name` is lowercase, as the tokenizer reports it.
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"p" => Self::Paragraph,
            b"h1" => Self::Heading(1),
            b"h2" => Self::Heading(2),
            b"h3" => Self::Heading(3),
            b"h4" => Self::Heading(4),
            b"h5" => Self::Heading(5),
            b"h6" => Self::Heading(6),
            b"ul" | b"menu" | b"dir" => Self::List,
            b"ol" => Self::OrderedList,
            b"li" => Self::Item,
            b"dl" => Self::DescriptionList,
            b"dt" => Self::Term,
            b"dd" => Self::Description,
            b"pre" | b"listing" | b"xmp" => Self::Preformatted,
            b"code" | b"kbd" | b"samp" | b"tt" => Self::Code,
            b"blockquote" => Self::Quote,
            b"table" => Self::Table,
            b"thead" | b"tbody" | b"tfoot" => Self::RowGroup,
            b"tr" => Self::Row,
            b"td" => Self::Cell,
            b"th" => Self::HeaderCell,
            b"br" => Self::Break,
            b"img" => Self::Image,
            b"hr" => Self::Rule,
            b"main" => Self::Main,
            b"article" => Self::Article,
            b"header" => Self::Header,
            b"nav" | b"footer" | b"aside" => Self::Furniture,
            b"title" => Self::Title,
            b"script" | b"style" | b"noscript" | b"template" | b"svg" | b"math" | b"iframe" | b"object"
            | b"canvas" | b"select" | b"button" | b"textarea" | b"datalist" | b"audio" | b"video"
            | b"map" | b"noframes" => Self::Hidden,
            b"meta" | b"link" | b"wbr" | b"input" | b"col" | b"area" | b"base" | b"embed" | b"source"
            | b"track" | b"param" => Self::Void,
            b"html" | b"head" | b"body" | b"div" | b"section" | b"address" | b"figure" | b"figcaption"
            | b"details" | b"summary" | b"fieldset" | b"legend" | b"form" | b"center" | b"dialog"
            | b"hgroup" | b"search" | b"caption" | b"colgroup" | b"frameset" => Self::Block,
            _ => Self::Inline,
        }
    }

    pub(super) fn is_void(self) -> bool {
        matches!(self, Self::Void | Self::Break | Self::Image | Self::Rule)
    }

    /// Whether the element interrupts a line of text.
    pub(super) fn is_block(self) -> bool {
        !matches!(
            self,
            Self::Inline | Self::Code | Self::Break | Self::Image | Self::Void | Self::Title | Self::Hidden
        )
    }

    /// Open elements that `self`, when it starts, ends: HTML lets their end tags be left out.
    pub(super) fn ends(self, open: Self) -> bool {
        match self {
            Self::Item => open == Self::Item,
            Self::Term | Self::Description => matches!(open, Self::Term | Self::Description),
            Self::Cell | Self::HeaderCell => matches!(open, Self::Cell | Self::HeaderCell),
            Self::Row => open == Self::Row,
            Self::RowGroup => open == Self::RowGroup,
            _ => false,
        }
    }

    /// Elements that an implied end never reaches through: the container the ended element belongs to.
    pub(super) fn contains(self, started: Self) -> bool {
        match started {
            Self::Item => {
                matches!(self, Self::List | Self::OrderedList | Self::Table | Self::Cell | Self::HeaderCell)
            }
            Self::Term | Self::Description => {
                matches!(self, Self::DescriptionList | Self::Table | Self::Cell | Self::HeaderCell)
            }
            Self::Cell | Self::HeaderCell => {
                matches!(self, Self::Row | Self::RowGroup | Self::Table)
            }
            Self::Row => matches!(self, Self::RowGroup | Self::Table),
            _ => matches!(self, Self::Table | Self::Cell | Self::HeaderCell),
        }
    }
}
