//! E-mail within e-mail, and heads without end.

pub(crate) const EML: &str = "message/rfc822";

/// Parts within parts, so many deep.
pub(crate) fn nested(levels: usize) -> Vec<u8> {
    let mut mail = "From: ann@example.org\r\nSubject: Parts within parts\r\nMIME-Version: 1.0\r\n".to_owned();
    for level in 0..levels {
        mail += &format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n");
    }
    mail += "Content-Type: text/plain\r\n\r\nThe innermost words.\r\n";
    (0..levels).rev().for_each(|level| mail += &format!("--b{level}--\r\n"));
    mail.into_bytes()
}

/// Messages within messages, so many deep.
pub(crate) fn forwarded(levels: usize) -> Vec<u8> {
    let mut mail = String::new();
    for level in 0..levels {
        mail += &format!("Subject: level {level}\r\nContent-Type: message/rfc822\r\n\r\n");
    }
    (mail + "Subject: last\r\n\r\nwords\r\n").into_bytes()
}

/// A head of this many lines, each of this length.
pub(crate) fn head(lines: usize, length: usize) -> Vec<u8> {
    let line = format!("X-Line: {}\r\n", "a".repeat(length));
    format!("Subject: A long head\r\n{}\r\nThe body.\r\n", line.repeat(lines)).into_bytes()
}

/// One attachment of this type, as it is.
pub(crate) fn with(name: &str, media_type: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "Subject: With an attachment\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSee the attachment.\r\n\
         --b\r\nContent-Type: {media_type}\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: binary\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n--b--\r\n"].concat()
}
