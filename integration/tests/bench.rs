//! That every figure of `make bench` comes out; which figures is for `make bench` on a quiet machine.

use flowport_integration::bench::{Healing, Size, run, run_healing};

#[tokio::test]
async fn every_figure_comes_out() {
    let report = run(Size::QUICK).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{}", report.text());
    assert_eq!(report.figures.len(), 10);
    for figure in &report.figures {
        assert!(figure.times > 0 && figure.ours.chars().any(|c| matches!(c, '1'..='9')), "{figure:?}");
    }
    // Those that need no ovs-docker to compare with.
    assert!(report.figures.iter().filter(|figure| figure.reached.is_some()).count() >= 3);
}

#[tokio::test]
async fn every_figure_of_healing_comes_out() {
    let report = run_healing(Healing::QUICK).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{}", report.text());
    assert_eq!(report.figures.len(), 9);
    for figure in &report.figures {
        assert!(figure.times > 0 && !figure.ours.is_empty() && figure.reached.is_some(), "{figure:?}");
    }
    let beside: Vec<_> = report.figures.iter().filter(|figure| !figure.theirs.is_empty()).collect();
    assert!(matches!(beside[..], [figure] if figure.work.starts_with("ovsdb-server")), "{beside:?}");
}
