use super::*;
use std::io::Cursor;

fn frame(octets: &[u8]) -> Frame {
    Frame {
        time: Some(Timestamp { seconds: 1_700_000_000, nanoseconds: 123_456_789 }),
        link: LinkType::ETHERNET,
        interface: Some("wire".to_owned()),
        original: octets.len(),
        octets: octets.to_vec(),
    }
}

fn written(frames: &[Frame]) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut writer = Writer::new(&mut octets).expect("begun");
    frames.iter().for_each(|frame| writer.write(frame).expect("written"));
    octets
}

/// The frames of a capture, and how it ends.
fn read(octets: Vec<u8>) -> (Vec<Frame>, Option<String>) {
    let mut reader = match Reader::new(Cursor::new(octets)) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Some(error.to_string())),
    };
    let mut frames = Vec::new();
    while let Some(next) = reader.next() {
        match next {
            Ok(frame) => frames.push(frame),
            Err(error) => return (frames, Some(error.to_string())),
        }
    }
    (frames, None)
}

/// A pcap file in microseconds or nanoseconds, big-endian or not.
fn pcap(nanoseconds: bool, big: bool, frames: &[&[u8]]) -> Vec<u8> {
    let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
    let mut octets = word(magic).to_vec();
    octets.extend(if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
    octets.extend([0; 8]);
    octets.extend(word(65535));
    octets.extend(word(1));
    for frame in frames {
        let length = u32::try_from(frame.len()).expect("short");
        for value in [1_700_000_000, 5000, length, length + 1] {
            octets.extend(word(value));
        }
        octets.extend(*frame);
    }
    octets
}

#[test]
fn what_is_written_is_read_again() {
    let other = Frame { link: LinkType::RAW, interface: None, original: 9000, ..frame(&[4, 5, 6, 7]) };
    let frames = [frame(&[1, 2, 3]), other, frame(&[]), frame(&[9; 100_000])];
    assert_eq!(read(written(&frames)), (frames.to_vec(), None));
    assert_eq!(read(written(&[])), (Vec::new(), None));
}

#[test]
fn pcap_is_read_in_every_form() {
    for (nanoseconds, big) in [(false, false), (true, false), (false, true), (true, true)] {
        let (frames, fault) = read(pcap(nanoseconds, big, &[&[1, 2, 3], &[4]]));
        assert_eq!(fault, None);
        let seen: Vec<_> = frames.iter().map(|frame| (frame.octets.as_slice(), frame.original)).collect();
        assert_eq!(seen, [(&[1, 2, 3][..], 4), (&[4][..], 2)], "{nanoseconds} {big}");
        let nanoseconds = if nanoseconds { 5000 } else { 5_000_000 };
        assert_eq!(frames[0].time, Some(Timestamp { seconds: 1_700_000_000, nanoseconds }));
        assert_eq!(frames[0].link, LinkType::ETHERNET);
    }
}

#[test]
fn a_file_that_is_cut_is_read_up_to_there() {
    let whole = written(&[frame(&[1, 2, 3]), frame(&[4; 50])]);
    let second = whole.len() - (32 + 52);
    let (frames, fault) = read(whole[..whole.len() - 10].to_vec());
    assert_eq!(frames, [frame(&[1, 2, 3])]);
    assert_eq!(
        fault.as_deref(),
        Some(&*format!("offset {second}: the capture ends within a block; everything before it is whole"))
    );
    let old = pcap(false, false, &[&[1, 2, 3], &[4]]);
    let (frames, fault) = read(old[..old.len() - 1].to_vec());
    assert_eq!((frames.len(), fault.is_some_and(|fault| fault.starts_with("offset 43: "))), (1, true));
    // Whatever is left of either, nothing is made up.
    for file in [whole, old] {
        for end in 0..file.len() {
            let (frames, fault) = read(file[..end].to_vec());
            assert!(frames.len() <= 1 && (fault.is_some() || end >= 24), "cut to {end}: {fault:?}");
        }
    }
}

#[test]
fn what_is_no_capture_or_contradicts_itself_is_named() {
    let fault = |octets: Vec<u8>| read(octets).1.unwrap_or_default();
    assert_eq!(fault(Vec::new()), "no capture: it is empty");
    assert_eq!(fault(vec![b'x'; 100]), "no capture: it begins with neither a header of pcap nor one of pcapng");
    let mut long = pcap(false, false, &[&[1, 2, 3]]);
    long[24 + 8..24 + 12].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    let shown = fault(long.clone());
    assert!(shown.starts_with("offset 24: ") && shown.contains("record"), "{shown}");
    long.resize(1 << 26, 0);
    assert_eq!(fault(long), "offset 24: a record claims to have more octets than any may, 16777216");
    let mut other = written(&[frame(&[1, 2, 3])]);
    let at = other.len() - 36 + 8;
    other[at] = 7;
    let shown = fault(other);
    assert!(shown.ends_with("a block is damaged: it is of interface 7, of which there are 1"), "{shown}");
    // The two lengths of a block differ.
    let mut bent = written(&[frame(&[1, 2, 3])]);
    let at = bent.len() - 4;
    bent[at] ^= 4;
    let shown = fault(bent);
    assert!(shown.contains("a block is damaged: its fields do not fit together"), "{shown}");
}

#[test]
fn a_pipe_may_give_an_octet_at_a_time() {
    struct Drops(Cursor<Vec<u8>>);
    impl std::io::Read for Drops {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let room = buffer.len().min(1);
            self.0.read(&mut buffer[..room])
        }
    }
    let old = pcap(true, false, &[&[1, 2, 3], &[4]]);
    let mut reader = Reader::new(Drops(Cursor::new(old))).expect("a capture");
    assert_eq!(std::iter::from_fn(|| reader.next()).filter_map(Result::ok).count(), 2);
}
