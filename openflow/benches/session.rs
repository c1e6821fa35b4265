//! Session and codec together, from memory to memory: a learning switch that answers each packet-in with a flow-mod and a
//! packet-out.

#![allow(missing_docs)]

mod learning;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flowport_openflow::{PacketIn, Session};
use learning::{BATCH, Templates, learn, ready, round};

fn session(c: &mut Criterion) {
    let (input, mut session) = (learning::input(), ready());
    let mut group = c.benchmark_group("learning_switch");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut run = |name, learn: &mut dyn FnMut(&mut Session, &PacketIn)| {
        group.bench_function(name, |b| b.iter(|| round(&mut session, black_box(&input), learn)));
    };
    run("built_anew", &mut learn);
    let mut templates = Templates::new();
    run("templates", &mut |session, packet_in| templates.learn(session, packet_in));
}

criterion_group!(benches, session);
criterion_main!(benches);
