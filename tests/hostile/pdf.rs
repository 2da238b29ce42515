//! PDF files, written object by object, so that each can be wrong in its own way.

use crate::packed::zlib_of;

/// Objects by number from 1, as they stand between `obj` and `endobj`.
#[derive(Default)]
pub(crate) struct Pdf {
    objects: Vec<Vec<u8>>,
    trailer: String,
}

impl Pdf {
    /// A number for an object that comes later.
    pub(crate) fn reserve(&mut self) -> usize {
        self.objects.push(Vec::new());
        self.objects.len()
    }

    pub(crate) fn set(&mut self, number: usize, body: impl Into<Vec<u8>>) {
        self.objects[number - 1] = body.into();
    }

    pub(crate) fn add(&mut self, body: impl Into<Vec<u8>>) -> usize {
        let number = self.reserve();
        self.set(number, body);
        number
    }

    pub(crate) fn stream(&mut self, dictionary: &str, content: &[u8]) -> usize {
        let head = format!("<< {dictionary} /Length {} >>\nstream\n", content.len());
        self.add([head.as_bytes(), content, b"\nendstream"].concat())
    }

    pub(crate) fn trailer(&mut self, entries: &str) {
        self.trailer = entries.to_owned();
    }

    /// The file, its first object being the catalogue.
    pub(crate) fn finish(&self) -> Vec<u8> {
        let mut file = b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n".to_vec();
        let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", self.objects.len() + 1);
        for (at, object) in self.objects.iter().enumerate() {
            table += &format!("{:010} 00000 n \n", file.len());
            file.extend(format!("{} 0 obj\n", at + 1).bytes());
            file.extend(object);
            file.extend(b"\nendobj\n");
        }
        let start = file.len();
        let size = self.objects.len() + 1;
        file.extend(table.bytes());
        file.extend(
            format!("trailer\n<< /Size {size} /Root 1 0 R {} >>\nstartxref\n{start}\n%%EOF\n", self.trailer)
                .bytes(),
        );
        file
    }
}

const FONT: &str = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";

/// Pages of which each draws what its content says; the font `/F` is there.
pub(crate) fn drawn(contents: impl IntoIterator<Item = Vec<u8>>) -> Pdf {
    let mut pdf = Pdf::default();
    let (catalogue, tree, font) = (pdf.reserve(), pdf.reserve(), pdf.reserve());
    pdf.set(catalogue, "<< /Type /Catalog /Pages 2 0 R >>");
    pdf.set(font, FONT);
    let mut kids = String::new();
    let mut count = 0;
    for content in contents {
        let stream = pdf.stream("", &content);
        let page = pdf.add(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents {stream} 0 R /Resources << /Font << /F 3 0 R >> >> >>"
        ));
        kids += &format!("{page} 0 R ");
        count += 1;
    }
    pdf.set(tree, format!("<< /Type /Pages /Kids [{kids}] /Count {count} >>"));
    pdf
}

/// A line of text in a page's content.
pub(crate) fn line(y: u32, text: &str) -> String {
    format!("BT /F 10 Tf 1 0 0 1 50 {y} Tm ({text}) Tj ET\n")
}

pub(crate) fn small() -> Vec<u8> {
    drawn([line(700, "The lighthouse was built of granite.").into_bytes()]).finish()
}

/// So many pages, each with a line of its own.
pub(crate) fn of_pages(pages: u32) -> Vec<u8> {
    let page = |n| {
        format!(
            "{}{}",
            line(700, &format!("Page {n} tells of the granite lighthouse.")),
            line(650, &format!("Its keeper fed {n} puffins and wrote it down in the log."))
        )
    };
    drawn((1..=pages).map(|n| page(n).into_bytes())).finish()
}

/// Encrypted with a password nobody has, by RC4 or AES: what opens it is not in the file.
pub(crate) fn encrypted(aes: bool) -> Vec<u8> {
    let mut pdf = drawn([b"\x17\x99\xA0scrambled\x01\x02".to_vec()]);
    let hex = |bytes: usize| (0..bytes).map(|n| format!("{:02x}", (n * 37 + 11) % 256)).collect::<String>();
    let dictionary = if aes {
        format!(
            "<< /Filter /Standard /V 5 /R 6 /Length 256 /P -1028 /O <{}> /U <{}> /OE <{}> /UE <{}> /Perms <{}> \
             /CF << /StdCF << /CFM /AESV3 /AuthEvent /DocOpen /Length 32 >> >> /StmF /StdCF /StrF /StdCF >>",
            hex(48),
            hex(48),
            hex(32),
            hex(32),
            hex(16)
        )
    } else {
        format!("<< /Filter /Standard /V 2 /R 3 /Length 128 /P -1028 /O <{}> /U <{}> >>", hex(32), hex(32))
    };
    let number = pdf.add(dictionary);
    pdf.trailer(&format!("/Encrypt {number} 0 R /ID [<{}> <{}>]", hex(16), hex(16)));
    pdf.finish()
}

/// A tree of pages whose branches hold themselves and their parents.
pub(crate) fn page_loop() -> Vec<u8> {
    let mut pdf = Pdf::default();
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>");
    pdf.add("<< /Type /Pages /Kids [2 0 R 3 0 R 3 0 R] /Count 4 >>");
    pdf.add("<< /Type /Pages /Parent 2 0 R /Kids [2 0 R 3 0 R] /Count 1000000 >>");
    pdf.finish()
}

/// A tree of pages so many levels deep.
pub(crate) fn deep_tree(levels: usize) -> Vec<u8> {
    let mut pdf = Pdf::default();
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>");
    for level in 2..levels {
        pdf.add(format!("<< /Type /Pages /Kids [{} 0 R] /Count 1 >>", level + 1));
    }
    pdf.finish()
}

/// References that lead in a circle, where a page's content, its font and a length should be.
pub(crate) fn object_loop() -> Vec<u8> {
    let mut pdf = Pdf::default();
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>");
    pdf.add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
    pdf.add("<< /Type /Page /Parent 2 0 R /MediaBox 4 0 R /Contents [4 0 R 6 0 R] /Resources << /Font << /F 4 0 R >> >> >>");
    pdf.add("5 0 R");
    pdf.add("4 0 R");
    pdf.add("<< /Length 6 0 R >>\nstream\nBT /F 10 Tf (x) Tj ET\nendstream");
    pdf.finish()
}

/// A drawing that draws itself, and a font whose glyph is written with the font.
pub(crate) fn drawing_loop() -> Vec<u8> {
    let mut pdf = Pdf::default();
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>");
    pdf.add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
    let resources = "/Resources << /XObject << /X 5 0 R >> /Font << /F 6 0 R >> >>";
    pdf.add(format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R {resources} >>"));
    pdf.stream("", b"/X Do BT /F 10 Tf 50 700 Td (aaaa) Tj ET");
    let content = b"/X Do /X Do BT /F 10 Tf 50 700 Td (aa) Tj ET";
    pdf.stream(&format!("/Type /XObject /Subtype /Form /BBox [0 0 600 800] {resources}"), content);
    pdf.add(format!(
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 0 1000 1000] /FontMatrix [0.001 0 0 0.001 0 0] /CharProcs << /a 7 0 R >> \
         /Encoding << /Type /Encoding /Differences [97 /a] >> /FirstChar 97 /LastChar 97 /Widths [1000] {resources} >>"
    ));
    pdf.stream("", b"1000 0 d0 /X Do BT /F 10 Tf (aaaa) Tj ET");
    pdf.finish()
}

/// A page whose packed content is so many bytes of blanks.
pub(crate) fn flate_bomb(bytes: u64) -> Vec<u8> {
    let mut pdf = Pdf::default();
    pdf.add("<< /Type /Catalog /Pages 2 0 R >>");
    pdf.add("<< /Type /Pages /Kids [3 0 R] /Count 1 >>");
    pdf.add("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents 4 0 R >>");
    pdf.stream("/Filter /FlateDecode", &zlib_of(b' ', bytes));
    pdf.finish()
}

/// A table of objects that lies, and one before it that is itself.
pub(crate) fn lying_table() -> Vec<u8> {
    let mut file = small();
    let at = file.windows(9).rposition(|window| window == b"startxref").expect("its end");
    let table = file.windows(5).position(|window| window == b"xref\n").expect("its table");
    file.truncate(at);
    let text =
        String::from_utf8_lossy(&file[table..]).replace("00000 n", "00007 n").replace("0000000", "9999999");
    file.truncate(table);
    file.extend(text.replace(">>", &format!("/Prev {table} >>")).bytes());
    file.extend(format!("startxref\n{table}\n%%EOF\n").bytes());
    file
}

/// The catalogue within so many arrays and dictionaries.
pub(crate) fn deep_objects(levels: usize) -> Vec<u8> {
    let mut pdf = Pdf::default();
    pdf.add("<< /Type /Catalog /Pages 2 0 R /Deep 3 0 R >>");
    pdf.add("<< /Type /Pages /Kids 3 0 R /Count 1 >>");
    pdf.add(format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
    pdf.add(format!("{}{}", "<< /A ".repeat(levels), ">>".repeat(levels)));
    pdf.finish()
}
