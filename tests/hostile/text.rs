//! Text that is no text, or is text in a way few expect.

pub(crate) fn utf_16(text: &str, little: bool) -> Vec<u8> {
    let bytes = |unit: u16| if little { unit.to_le_bytes() } else { unit.to_be_bytes() };
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(bytes).collect()
}

/// Bytes without a pattern, the same every time.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(byte).collect()
}

pub(crate) const HEBREW: &str = "המגדלור נבנה מאבן גרניט, והשומר האכיל שבעה־עשר תוכיים בכל בוקר.";
pub(crate) const ARABIC: &str = "بُنيت المنارة من الجرانيت، وكان الحارس يطعم الطيور كل صباح.";
pub(crate) const CHINESE: &str = "灯塔由花岗岩建成。看守人每天早上喂十七只海鹦。";
pub(crate) const JAPANESE: &str = "灯台は花崗岩で造られた。番人は毎朝ツノメドリに餌をやった。";
