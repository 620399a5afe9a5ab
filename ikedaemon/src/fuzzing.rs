//! Bodies of the fuzz targets for the drivers, with the seeds of their corpora. They live here so that ordinary tests
//! replay the corpora.
pub use crate::driver::pfkey::{fuzz_pfkey, pfkey_seeds};
pub use crate::driver::userspace::fuzz_esp;

/// Inputs for [`fuzz_esp`], each with its file name.
pub fn esp_seeds() -> Vec<(&'static str, Vec<u8>)> {
    // UDP from 192.0.2.9 to 10.1.1.1, and the same with a source that the tunnel is not for.
    let packet = |source: [u8; 4]| {
        let udp = [0x30, 0x39, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4];
        let mut packet = vec![0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, 17, 0, 0];
        packet.extend_from_slice(&source);
        packet.extend_from_slice(&[10, 1, 1, 1]);
        packet.extend_from_slice(&udp);
        packet
    };
    let with = |how: u8, next_header: u8, payload: Vec<u8>| [vec![how, next_header], payload].concat();
    vec![
        ("tunnel", with(0b101, 4, packet([192, 0, 2, 9]))),
        ("tunnel-congestion", with(0b1_1101, 4, packet([192, 0, 2, 9]))),
        ("tunnel-other-source", with(0b101, 4, packet([10, 1, 1, 2]))),
        ("tunnel-in-udp", with(0b111, 4, packet([192, 0, 2, 9]))),
        ("transport", with(0b100, 17, vec![0x30, 0x39, 0, 53, 0, 12, 0, 0, 1, 2, 3, 4])),
        ("transport-in-udp", with(0b110, 17, vec![0x30, 0x39, 0, 53, 0, 12, 1, 1, 1, 2, 3, 4])),
        ("dummy", with(0b101, 59, vec![0; 20])),
        ("forged", [vec![0b001, 0, 0, 0x11, 0x11, 0, 0, 0, 1], vec![9; 40]].concat()),
        ("host", with(0b001, 0x45, packet([10, 1, 1, 1]).split_off(1))),
    ]
}
