/// Splits a byte stream of server-sent events into the data of each event.
///
/// Bounded: a line longer than [`MAX_LINE`] ends the stream with an error.
#[derive(Debug, Default)]
pub(super) struct Events {
    buffer: Vec<u8>,
}

const MAX_LINE: usize = 1 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct LineTooLong;

impl Events {
    /// Feeds bytes and returns the `data:` payloads that are complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, LineTooLong> {
        self.buffer.extend_from_slice(bytes);
        let mut data = Vec::new();
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            // Comments, event names and ids do not matter to chat completions.
            if let Some(payload) = line.trim_end().strip_prefix("data:") {
                data.push(payload.trim_start().to_owned());
            }
        }
        if self.buffer.len() > MAX_LINE { Err(LineTooLong) } else { Ok(data) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn events_are_the_same_however_the_bytes_are_cut(cuts in proptest::collection::vec(1_usize..9, 0..40)) {
            let stream = "data: {\"a\":1}\r\n\n: ping\ndata:é\nevent: x\ndata: [DONE]\n".as_bytes();
            let (mut events, mut seen, mut at) = (Events::default(), Vec::new(), 0);
            for cut in cuts {
                let next = (at + cut).min(stream.len());
                seen.extend(events.push(&stream[at..next]).expect("short lines"));
                at = next;
            }
            seen.extend(events.push(&stream[at..]).expect("short lines"));
            prop_assert_eq!(seen, ["{\"a\":1}", "é", "[DONE]"]);
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        assert_eq!(Events::default().push(&vec![b'x'; MAX_LINE + 1]), Err(LineTooLong));
    }

    #[test]
    fn fuzz_streams_of_a_chat_model() {
        let seeds: [&[u8]; 2] = [
            b"data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n",
            b": ping\r\nevent: x\r\nid: 1\r\ndata\r\n",
        ];
        crate::fuzz::fuzz(&seeds, |bytes| {
            let whole = Events::default().push(bytes).expect("short lines");
            // However it arrives.
            let (mut events, mut pieces) = (Events::default(), Vec::new());
            for piece in bytes.chunks(3) {
                pieces.extend(events.push(piece).expect("short lines"));
            }
            assert_eq!(whole, pieces);
        });
    }
}
