//! E-mail: who wrote to whom, what, and the attachments that can be read.

use super::writer::Writer;
use super::{BlockKind, MediaType, ParseError, ParseLimits, Parsed, html, parse_within, plain};
use mail_parser::{Address, Message, MessageParser, MimeHeaders};

/// Messages within messages that are followed.
const MAX_NESTING: u8 = 3;

pub(super) fn parse(bytes: &[u8], limits: &ParseLimits, nesting: u8) -> Result<Parsed, ParseError> {
    let message = MessageParser::default().parse(bytes).filter(|message| !message.headers().is_empty());
    let malformed = || ParseError::Malformed { format: "e-mail", reason: "it has no header".to_owned() };
    let message = message.ok_or_else(malformed)?;
    let mut writer = Writer::new(limits);
    let subject = message.subject().unwrap_or_default().replace('\0', " ").trim().to_owned();
    writer.heading(1, &subject);
    writer.block(BlockKind::Paragraph, &head(&message));
    body(&message, limits, &mut writer)?;
    for attachment in message.attachments() {
        let name = attachment.attachment_name().unwrap_or_default();
        let kind = attachment.content_type().map(|kind| match kind.subtype() {
            Some(subtype) => format!("{}/{subtype}", kind.ctype()),
            None => kind.ctype().to_owned(),
        });
        writer.heading(2, &format!("Attachment {name}"));
        let named = MediaType::from_path(std::path::Path::new(name)).ok();
        let media_type = named.or_else(|| kind.and_then(|kind| kind.parse().ok()));
        if let Some(media_type) = media_type.filter(|_| nesting < MAX_NESTING) {
            // One that cannot be read does not cost the message.
            if let Ok(parsed) = parse_within(attachment.contents(), media_type, limits, nesting + 1) {
                writer.append(parsed);
            }
        }
        if writer.is_full() {
            break;
        }
    }
    let mut parsed = writer.finish()?;
    parsed.title = Some(subject).filter(|subject| !subject.is_empty());
    Ok(parsed)
}

fn head(message: &Message<'_>) -> String {
    let mut lines = Vec::new();
    let people = [("From", message.from()), ("To", message.to()), ("Cc", message.cc())];
    for (name, address) in people {
        let names = address.map(names).unwrap_or_default();
        if !names.is_empty() {
            lines.push(format!("{name}: {}", names.join(", ")));
        }
    }
    lines.extend(message.date().map(|date| format!("Date: {}", date.to_rfc3339())));
    lines.join("\n")
}

fn names(address: &Address<'_>) -> Vec<String> {
    let name = |one: &mail_parser::Addr<'_>| match (one.name(), one.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    };
    address.iter().map(name).filter(|name| !name.is_empty()).collect()
}

/// The plain part where there is one: the other says the same with more markup.
fn body(message: &Message<'_>, limits: &ParseLimits, writer: &mut Writer) -> Result<(), ParseError> {
    let is_html = message.text_bodies().next().is_some_and(mail_parser::MessagePart::is_text_html);
    match message.body_html(0).filter(|_| is_html || message.text_body_count() == 0) {
        Some(page) => writer.append(html::parse(&page, limits)?),
        None => {
            for at in 0..message.text_body_count() {
                if let Some(text) = message.body_text(at) {
                    writer.append(plain::parse(text.replace('\0', " ")));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_with_its_people_and_its_attachments() {
        let mail = "From: Ann Duck <ann@example.org>\r\nTo: bob@example.org\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
            Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
            --b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\nContent-Type: text/plain\r\n\r\nHello Bob.\r\n\
            --c\r\nContent-Type: text/html\r\n\r\n<p>Hello <b>Bob</b>.</p>\r\n--c--\r\n\
            --b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=\"birds.csv\"\r\n\r\nbird,legs\nduck,2\n\r\n\
            --b\r\nContent-Type: image/png\r\nContent-Disposition: attachment; filename=\"x.png\"\r\n\r\n???\r\n--b--\r\n";
        let parsed = parse(mail.as_bytes(), &ParseLimits::default(), 0).unwrap();
        assert_eq!(parsed.title.as_deref(), Some("Grüße"));
        assert_eq!(
            parsed.text,
            "# Grüße\n\nFrom: Ann Duck <ann@example.org>\nTo: bob@example.org\nDate: 2026-11-24T12:00:00Z\n\nHello Bob.\n\n\
             ## Attachment birds.csv\n\n| bird | legs |\n| - | - |\n| duck | 2 |\n\n## Attachment x.png"
        );
        assert!(parse(b"", &ParseLimits::default(), 0).is_err());
    }

    #[test]
    fn messages_within_messages_end_somewhere() {
        let mut mail = b"Subject: inner\r\n\r\nwords\r\n".to_vec();
        for n in 0..30 {
            let mut outer = format!(
                "Subject: level {n}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n\
                 Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"m.eml\"\r\n\r\n"
            )
            .into_bytes();
            outer.extend_from_slice(&mail);
            outer.extend_from_slice(format!("\r\n--b{n}--\r\n").as_bytes());
            mail = outer;
        }
        let parsed = parse(&mail, &ParseLimits::default(), 0).unwrap();
        assert!(parsed.text.contains("level 28") && !parsed.text.contains("inner"), "{}", parsed.text);
    }
}
