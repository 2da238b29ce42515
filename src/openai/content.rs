//! Bytes given out: never as a page of this origin.

use actix_web::HttpResponse;

/// `filename` is what a browser would call it.
pub(super) fn attachment(filename: &str, bytes: Vec<u8>) -> HttpResponse {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let mut encoded = String::with_capacity(filename.len());
    for byte in filename.bytes() {
        if plain(byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header(("content-disposition", format!("attachment; filename*=UTF-8''{encoded}")))
        .body(bytes)
}
