use super::*;

/// What the framers of others got wrong: escapes, braces in strings, beyond the basic plane, white space.
const MESSAGES: [&str; 6] = [
    r#"{"id":null,"method":"update","params":["a\"b","c\\","{[}]",["set",[]]]}"#,
    r#"{}"#,
    r#"{"s":"\\\"","n":-1.5e3,"t":true}"#,
    "{\"crab\":\"\u{1f980}\",\"escaped\":\"\\ud83e\\udd80\",\"e\":\"\u{e9}\"}",
    r#"{"a":{"b":[{"c":"}"}]},"d":"\u0022"}"#,
    r#"{"":""}"#,
];

fn drain(framer: &mut Framer) -> Vec<String> {
    std::iter::from_fn(|| framer.next_message().unwrap())
        .map(|message| String::from_utf8(message.to_vec()).unwrap())
        .collect()
}

#[test]
fn every_split_gives_the_same_messages() {
    let stream = MESSAGES.join(" \r\n\t") + "\n";
    for at in 0..=stream.len() {
        let mut framer = Framer::default();
        let mut messages = Vec::new();
        for part in [&stream.as_bytes()[..at], &stream.as_bytes()[at..]] {
            framer.extend(part);
            messages.extend(drain(&mut framer));
        }
        assert_eq!(messages, MESSAGES, "split at {at}");
    }
}

#[test]
fn byte_by_byte_and_all_at_once() {
    let stream = MESSAGES.concat();
    for size in [1, 2, 3, 7, 64, stream.len()] {
        let mut framer = Framer::default();
        let mut messages = Vec::new();
        for part in stream.as_bytes().chunks(size) {
            framer.extend(part);
            messages.extend(drain(&mut framer));
        }
        assert_eq!(messages, MESSAGES, "in reads of {size}");
        assert!(framer.buffer.is_empty());
    }
}

/// By count and not by clock: after each read all of the buffer is scanned, and none of it again. A read of one byte
/// costs a call, so that there are fewer of them; 100 MB come as they do from a socket.
#[test]
fn each_byte_is_looked_at_once() {
    for (size, total) in [(1, 1 << 18), (1000, 4 << 20), (65_536, 100_000_000)] {
        let pattern = br#"\\\"{["#.iter().copied().chain([b'x'; 94]);
        let part: Vec<u8> = pattern.cycle().take(size).collect();
        let mut framer = Framer::default();
        framer.extend(br#"{"rows":[""#);
        let mut seen = 10;
        for _ in 0..total / size {
            assert_eq!(framer.next_message(), Ok(None));
            assert_eq!(framer.scanned, seen, "in reads of {size}");
            framer.extend(&part);
            seen += part.len();
        }
        framer.extend(br#"x"]}"#);
        seen += 4;
        let message = framer.next_message().unwrap().unwrap();
        assert_eq!((message.len(), framer.buffer.len()), (seen, 0));
    }
}

#[test]
fn refuses_what_is_no_object() {
    for text in ["[]", "1", "\"a\"", "}", "null", " \n]", "{}x"] {
        let mut framer = Framer::default();
        framer.extend(text.as_bytes());
        let error = std::iter::from_fn(|| framer.next_message().transpose()).find_map(Result::err);
        assert!(matches!(error, Some(FramingError::NotAnObject(_))), "{text}: {error:?}");
    }
}
