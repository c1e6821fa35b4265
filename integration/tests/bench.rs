//! That every figure of `make bench` comes out; which figures is for `make bench` on a quiet machine.

use flowport_integration::bench::{Size, run};

#[tokio::test]
async fn every_figure_comes_out() {
    let report = run(Size::QUICK).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{}", report.text());
    assert_eq!(report.rows.len(), 10);
    for row in &report.rows {
        assert!(!row.ours.is_empty() && row.ours.iter().all(|time| !time.is_zero()), "{}", row.work);
    }
    // Those that need no ovs-docker to compare with.
    assert!(report.rows.iter().filter(|row| row.is_reached().is_some()).count() >= 3);
}
