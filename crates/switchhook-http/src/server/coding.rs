//! Codings of bodies: what a sender packed is unpacked, within the bound of what it would be unpacked.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::body::BodyReadError;

/// Compression of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    None,
    Gzip,
    Deflate,
}

impl Coding {
    /// Compression named in the headers.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, BodyReadError> {
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        let (Some(coding), another) = (codings.next(), codings.next()) else {
            return Ok(Self::None);
        };
        let coding = coding.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        match (coding.as_str(), another) {
            ("" | "identity", None) => Ok(Self::None),
            ("gzip" | "x-gzip", None) => Ok(Self::Gzip),
            ("deflate", None) => Ok(Self::Deflate),
            _ => Err(BodyReadError::UnknownCoding),
        }
    }

    /// Unpacks a body that may have `limit` bytes then.
    pub(super) fn unpack(self, packed: Bytes, limit: usize) -> Result<Bytes, BodyReadError> {
        match self {
            Self::None => Ok(packed),
            // It may come in several members, one after the other (RFC 1952, section 2.2).
            Self::Gzip => read(MultiGzDecoder::new(&*packed), limit),
            // Some senders leave the frame away that the name means.
            Self::Deflate => match inflate(Decompress::new(true), &packed, limit) {
                Err(BodyReadError::BrokenCoding) => inflate(Decompress::new(false), &packed, limit),
                inflated => inflated,
            },
        }
    }
}

fn read(from: impl Read, limit: usize) -> Result<Bytes, BodyReadError> {
    let mut unpacked = Vec::new();
    let read = from.take(limit as u64 + 1).read_to_end(&mut unpacked);
    match read {
        Err(_) => Err(BodyReadError::BrokenCoding),
        Ok(count) if count > limit => Err(BodyReadError::TooLarge),
        Ok(_) => Ok(unpacked.into()),
    }
}

/// Unlike the readers of flate2 it tells a stream that breaks off, or that something follows, from one that is whole.
fn inflate(mut inflater: Decompress, packed: &[u8], limit: usize) -> Result<Bytes, BodyReadError> {
    /// Least size of a piece that is decompressed.
    const PIECE: usize = 8 * 1024;
    let mut unpacked = Vec::new();
    let mut rest = packed;
    loop {
        unpacked.reserve(PIECE.min(limit + 1));
        let (taken, made) = (inflater.total_in(), unpacked.len());
        let status = inflater.decompress_vec(rest, &mut unpacked, FlushDecompress::None);
        let status = status.map_err(|_| BodyReadError::BrokenCoding)?;
        let taken = usize::try_from(inflater.total_in() - taken).expect("it is part of what is in memory");
        rest = &rest[taken..];
        if unpacked.len() > limit {
            return Err(BodyReadError::TooLarge);
        }
        match status {
            Status::StreamEnd if rest.is_empty() => return Ok(unpacked.into()),
            Status::Ok | Status::BufError if taken > 0 || unpacked.len() > made => {}
            Status::StreamEnd | Status::Ok | Status::BufError => return Err(BodyReadError::BrokenCoding),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use http::HeaderValue;

    use super::*;

    #[track_caller]
    fn check(coding: &'static str, packed: &[u8], expected: Result<&[u8], BodyReadError>) {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        let unpacked =
            Coding::of(&headers).and_then(|coding| coding.unpack(Bytes::copy_from_slice(packed), 1_000));
        assert_eq!(
            unpacked.as_deref().map_err(|trouble| *trouble),
            expected,
            "{coding}"
        );
    }

    #[test]
    fn a_body_is_unpacked_as_its_header_says_and_no_larger_than_it_may_be() {
        for size in [0, 10, 1_000, 1_001, 10_000_000] {
            let body = vec![b'x'; size];
            let expected = if size > 1_000 {
                Err(BodyReadError::TooLarge)
            } else {
                Ok(&*body)
            };
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
            let mut raw = DeflateEncoder::new(Vec::new(), Compression::fast());
            for packer in [&mut gzip as &mut dyn Write, &mut zlib, &mut raw] {
                packer.write_all(&body).unwrap();
            }
            let gzip = gzip.finish().unwrap();
            let (zlib, raw) = (zlib.finish().unwrap(), raw.finish().unwrap());
            check("X-GZIP ", &gzip, expected);
            for (coding, packed) in [("gzip", gzip), ("deflate", zlib), ("deflate", raw)] {
                check(coding, &packed, expected);
                if size > 1_000 {
                    continue;
                }
                for cut in 0..packed.len() {
                    check(coding, &packed[..cut], Err(BodyReadError::BrokenCoding));
                }
                for junk in [&b"\0"[..], b"\x1f\x8b", b"junk that is longer than any frame"] {
                    let followed = [&packed[..], junk].concat();
                    check(coding, &followed, Err(BodyReadError::BrokenCoding));
                }
            }
        }
        check("identity", b"{}", Ok(b"{}"));
        check("gzip", b"{}", Err(BodyReadError::BrokenCoding));
        for coding in ["br", "zstd", "gzip, gzip"] {
            check(coding, b"{}", Err(BodyReadError::UnknownCoding));
        }
    }

    #[test]
    fn the_members_of_a_gzip_body_are_one_body() {
        let member = |body: &[u8]| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(body).unwrap();
            gzip.finish().unwrap()
        };
        let (one, empty, other) = (member(b"{\"call_id\":"), member(b""), member(b"7}"));
        let whole = [&*one, &*empty, &*other].concat();
        check("gzip", &whole, Ok(b"{\"call_id\":7}"));
        check(
            "gzip",
            &whole[..whole.len() - 1],
            Err(BodyReadError::BrokenCoding),
        );
        let each_allowed = [member(&[b'x'; 1_000]), member(b"x")].concat();
        check("gzip", &each_allowed, Err(BodyReadError::TooLarge));
    }
}
