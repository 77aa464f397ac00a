//! Packs the OpenAPI document into the program: 400 KB as people read it, 30 KB as it is kept.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

const DOCUMENT: &str = "src/api/openapi.json";

#[expect(
    clippy::disallowed_methods,
    reason = "what Cargo tells a build script is in the environment"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed={DOCUMENT}");
    let folder = std::env::var("OUT_DIR")?;
    let packed = fs::File::create(Path::new(&folder).join("openapi.json.gz"))?;
    let mut encoder = GzEncoder::new(packed, Compression::best());
    encoder.write_all(&fs::read(DOCUMENT)?)?;
    encoder.finish()?;
    Ok(())
}
