//! Compiles the contract without `protoc`, and keeps its descriptors for reflection.

use std::error::Error;
use std::path::PathBuf;

use prost::Message;

const SOURCE: &str = "ketscale/v1/plan.proto";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={SOURCE}");
    let descriptors = protox::compile([SOURCE], ["."])?;
    let target = PathBuf::from(std::env::var("OUT_DIR")?).join("ketscale.v1.descriptors.bin");
    std::fs::write(target, descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
