//! Tells what a compressed file is by its content.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;

/// Enough to see the first header of an archive or the first line of a snapshot.
const PEEK: usize = 4096;

/// What a compressed file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    /// A saved snapshot.
    Snapshot,
    /// A packed chart.
    Chart,
    /// Something else.
    Other,
}

/// What `bytes` hold, if they are compressed.
pub(super) fn recognise(bytes: &[u8]) -> Option<Packed> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return None;
    }
    let mut start = Vec::with_capacity(PEEK);
    // A file that breaks off after its first lines is still recognised by them.
    let _ = MultiGzDecoder::new(bytes).take(PEEK as u64).read_to_end(&mut start);
    let is_tar = start.get(257..262) == Some(b"ustar".as_slice());
    if start.starts_with(br#"{"schema":"bartizan.snapshot/"#) {
        Some(Packed::Snapshot)
    } else if is_tar && start.get(..100).is_some_and(|name| name.contains(&b'/')) {
        Some(Packed::Chart)
    } else {
        Some(Packed::Other)
    }
}
