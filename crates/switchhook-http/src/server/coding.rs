//! Codings of bodies: what a sender packed is unpacked, within the bound of what it would be unpacked.

use std::io::Read;

use bytes::Bytes;
use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

use super::body::BodyTrouble;

/// How a body was packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    None,
    Gzip,
    Deflate,
}

impl Coding {
    /// What the headers say.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, BodyTrouble> {
        let mut codings = headers.get_all(CONTENT_ENCODING).iter();
        let (Some(coding), another) = (codings.next(), codings.next()) else {
            return Ok(Self::None);
        };
        let coding = coding.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        match (coding.as_str(), another) {
            ("" | "identity", None) => Ok(Self::None),
            ("gzip" | "x-gzip", None) => Ok(Self::Gzip),
            ("deflate", None) => Ok(Self::Deflate),
            _ => Err(BodyTrouble::UnknownCoding),
        }
    }

    /// Unpacks a body that may have `limit` bytes then.
    pub(super) fn unpack(self, packed: Bytes, limit: usize) -> Result<Bytes, BodyTrouble> {
        match self {
            Self::None => Ok(packed),
            // Several archives one after the other are no body of anybody's.
            Self::Gzip => read(GzDecoder::new(&*packed), limit),
            // Some senders leave the frame away that the name means.
            Self::Deflate => match read(ZlibDecoder::new(&*packed), limit) {
                Err(BodyTrouble::BrokenCoding) => read(DeflateDecoder::new(&*packed), limit),
                read => read,
            },
        }
    }
}

fn read(from: impl Read, limit: usize) -> Result<Bytes, BodyTrouble> {
    let mut unpacked = Vec::new();
    let read = from.take(limit as u64 + 1).read_to_end(&mut unpacked);
    match read {
        Err(_) => Err(BodyTrouble::BrokenCoding),
        Ok(count) if count > limit => Err(BodyTrouble::TooLarge),
        Ok(_) => Ok(unpacked.into()),
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
    fn check(coding: &'static str, packed: &[u8], expected: Result<&[u8], BodyTrouble>) {
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
                Err(BodyTrouble::TooLarge)
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
            check("gzip", &gzip, expected);
            check("X-GZIP ", &gzip, expected);
            check("deflate", &zlib.finish().unwrap(), expected);
            check("deflate", &raw.finish().unwrap(), expected);
            if (1..=1_000).contains(&size) {
                check("gzip", &gzip[..gzip.len() - 9], Err(BodyTrouble::BrokenCoding));
            }
        }
        check("identity", b"{}", Ok(b"{}"));
        check("gzip", b"{}", Err(BodyTrouble::BrokenCoding));
        for coding in ["br", "zstd", "gzip, gzip"] {
            check(coding, b"{}", Err(BodyTrouble::UnknownCoding));
        }
    }
}
