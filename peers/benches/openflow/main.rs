//! The codec beside its peers on the same messages, in the same run: what one writes by hand, `rovs-openflow`, and `os-ken`
//! if the environment's `OS_KEN` is a Python that has it.
//!
//! `--markdown` prints the table for a document. All take their turns in each round, and the fastest round counts: what else
//! the machine does only makes it slower.

#[path = "../../../openflow/benches/learning/mod.rs"]
mod learning;
mod ours;
mod plain;
mod rovs;

use std::collections::HashMap;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

/// Rounds, and how long each work is done in one of them.
const ROUNDS: usize = 500;
const SLICE: Duration = Duration::from_micros(200);

/// Flow entries of the reply that is decoded.
const FLOWS: u32 = 400;

/// One kind of work, and who does it how.
struct Row<'a> {
    work: String,
    ours: Box<dyn FnMut() + 'a>,
    plain: Option<Box<dyn FnMut() + 'a>>,
    rovs: Option<Box<dyn FnMut() + 'a>>,
    /// What `os-ken`'s script calls it.
    os_ken: &'static str,
    aim: &'static str,
}

fn main() {
    let (flow_mod, packet_in, flow_stats) =
        (ours::flow_mod(), ours::packet_in(), ours::flow_stats(FLOWS as usize));
    let wire = [ours::encoded(&flow_mod), ours::encoded(&packet_in), ours::encoded(&flow_stats)];
    let shared: Vec<bytes::Bytes> = wire.iter().map(|bytes| bytes.clone().into()).collect();
    let [flow_mod_bytes, packet_in_bytes, flow_stats_bytes] = &wire;

    // All do the same.
    let mut out = Vec::new();
    let plain_flow_mod = plain::decode_flow_mod(flow_mod_bytes).expect("a flow-mod");
    plain::encode_flow_mod(&plain_flow_mod, &mut out);
    assert_eq!(&out, flow_mod_bytes);
    let rovs_flow_mod = rovs::flow_mod();
    let theirs = rovs::encode(&rovs_flow_mod);
    // But for the length of packets to the controller, which means nothing for another port.
    assert_eq!(theirs.len(), flow_mod_bytes.len());
    assert!(theirs.iter().zip(flow_mod_bytes).filter(|(a, b)| a != b).count() <= 2);
    assert_eq!(plain::decode_packet_in(packet_in_bytes).map(|packet_in| packet_in.data.len()), Some(86));
    assert_eq!(plain::decode_flow_stats(flow_stats_bytes).map(|flows| flows.len()), Some(FLOWS as usize));
    assert_eq!(rovs::flow_stats(flow_stats_bytes), FLOWS as usize);
    rovs::packet_in(&shared[1]);

    let (mut first, mut second) = (Vec::with_capacity(1 << 12), Vec::with_capacity(1 << 12));
    let input = learning::input();
    let (mut anew, mut kept, mut templates) =
        (learning::ready(), learning::ready(), learning::Templates::new());
    let switch = format!("answer {} packet-ins, FLOW_MOD and PACKET_OUT each", learning::BATCH);
    let mut rows = [
        Row {
            work: format!("encode a FLOW_MOD of {} bytes", flow_mod_bytes.len()),
            ours: Box::new(|| {
                first.clear();
                let _ = black_box(&flow_mod).encode(&mut first);
                black_box(&first);
            }),
            plain: Some(Box::new(|| {
                second.clear();
                plain::encode_flow_mod(black_box(&plain_flow_mod), &mut second);
                black_box(&second);
            })),
            rovs: Some(Box::new(|| drop(black_box(rovs::encode(black_box(&rovs_flow_mod)))))),
            os_ken: "encode flow-mod",
            aim: "0.8 of plain",
        },
        Row {
            work: format!("decode a FLOW_MOD of {} bytes", flow_mod_bytes.len()),
            ours: Box::new(|| ours::decode(&shared[0])),
            plain: Some(Box::new(|| drop(black_box(plain::decode_flow_mod(black_box(flow_mod_bytes)))))),
            rovs: None,
            os_ken: "decode flow-mod",
            aim: "0.6 of plain",
        },
        Row {
            work: format!("decode a packet-in of {} bytes", packet_in_bytes.len()),
            ours: Box::new(|| ours::decode(&shared[1])),
            plain: Some(Box::new(|| drop(black_box(plain::decode_packet_in(black_box(packet_in_bytes)))))),
            rovs: Some(Box::new(|| rovs::packet_in(&shared[1]))),
            os_ken: "decode packet-in",
            aim: "40 ns",
        },
        Row {
            work: format!("decode {FLOWS} flow-stats of {} bytes", flow_stats_bytes.len() / FLOWS as usize),
            ours: Box::new(|| ours::decode(&shared[2])),
            plain: Some(Box::new(|| drop(black_box(plain::decode_flow_stats(black_box(flow_stats_bytes)))))),
            rovs: Some(Box::new(|| {
                black_box(rovs::flow_stats(black_box(flow_stats_bytes)));
            })),
            os_ken: "decode flow-stats",
            aim: "300 MB/s",
        },
        Row {
            work: format!("{switch}, built anew"),
            ours: Box::new(|| {
                black_box(learning::round(&mut anew, black_box(&input), &mut learning::learn));
            }),
            plain: None,
            rovs: None,
            os_ken: "",
            aim: "5 M/s",
        },
        Row {
            work: format!("{switch}, kept and changed"),
            ours: Box::new(|| {
                let learn = &mut |session: &mut _, packet_in: &_| templates.learn(session, packet_in);
                black_box(learning::round(&mut kept, black_box(&input), learn));
            }),
            plain: None,
            rovs: None,
            os_ken: "",
            aim: "5 M/s",
        },
    ];
    let os_ken = os_ken(&wire);
    let table: Vec<[String; 9]> = rows.iter_mut().map(|row| measure(row, &os_ken)).collect();
    print(&table, std::env::args().any(|arg| arg == "--markdown"));
}

fn measure(row: &mut Row<'_>, os_ken: &HashMap<String, f64>) -> [String; 9] {
    let mut works: [Option<&mut dyn FnMut()>; 3] = [
        Some(&mut row.ours),
        row.plain.as_mut().map(|work| work as &mut dyn FnMut()),
        row.rovs.as_mut().map(|work| work as &mut dyn FnMut()),
    ];
    let mut fastest = [None::<f64>; 3];
    for _ in 0..ROUNDS {
        for (work, fastest) in works.iter_mut().zip(&mut fastest) {
            if let Some(work) = work {
                let time = nanoseconds(work);
                *fastest = Some(fastest.map_or(time, |fastest| fastest.min(time)));
            }
        }
    }
    let [ours, plain, rovs] = fastest;
    let os_ken = os_ken.get(row.os_ken).copied();
    let time = |time: Option<f64>| time.map_or_else(|| "-".to_owned(), human);
    let ratio = |other: Option<f64>| match (ours, other) {
        (Some(ours), Some(other)) => format!("{:.1}x", other / ours),
        _ => "-".to_owned(),
    };
    let part = ours.zip(plain).map_or_else(|| "-".to_owned(), |(ours, plain)| format!("{:.2}", ours / plain));
    [
        row.work.clone(),
        time(ours),
        time(plain),
        part,
        row.aim.to_owned(),
        time(rovs),
        ratio(rovs),
        time(os_ken),
        ratio(os_ken),
    ]
}

const HEADINGS: [&str; 9] =
    ["work", "ours", "plain", "ours/plain", "aim", "rovs-openflow", "ratio", "os-ken", "ratio"];

fn print(table: &[[String; 9]], markdown: bool) {
    let lines: Vec<_> = [HEADINGS.map(str::to_owned)].into_iter().chain(table.iter().cloned()).collect();
    if markdown {
        for (n, line) in lines.iter().enumerate() {
            println!("| {} |", line.join(" | "));
            if n == 0 {
                println!("|---|{}", "--:|".repeat(line.len() - 1));
            }
        }
        return;
    }
    let widths: Vec<usize> = (0..HEADINGS.len())
        .map(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or_default())
        .collect();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        println!("{}", cells.collect::<Vec<_>>().join("  "));
    }
}

/// How long one call takes.
fn nanoseconds(work: &mut dyn FnMut()) -> f64 {
    let (start, mut calls) = (Instant::now(), 0_u32);
    loop {
        for _ in 0..16 {
            work();
        }
        calls += 16;
        let elapsed = start.elapsed();
        if elapsed >= SLICE {
            return elapsed.as_nanos() as f64 / f64::from(calls);
        }
    }
}

fn human(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} us", ns / 1e3),
        ns => format!("{:.1} ms", ns / 1e6),
    }
}

/// What the script says of the same messages: nanoseconds by work.
fn os_ken(wire: &[Vec<u8>; 3]) -> HashMap<String, f64> {
    let Some(python) = std::env::var_os("OS_KEN") else { return HashMap::new() };
    let hex = wire.iter().map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/os_ken_codec.py");
    let output = Command::new(&python).arg(script).args(hex).output().expect("Python");
    if !output.status.success() {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return HashMap::new();
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line =
        |line: &str| line.split_once('\t').and_then(|(work, ns)| Some((work.to_owned(), ns.parse().ok()?)));
    text.lines().filter_map(line).collect()
}
