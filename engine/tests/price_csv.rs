//! Price files of one's own: what is accepted, and every mistake that is refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use ketscale_engine::catalogue::{
    Catalogue, InstanceType, MAX_ERRORS, MAX_PRICE_FILE_BYTES, PriceError,
};
use ketscale_engine::problem::Provider;
use proptest::prelude::*;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

// What is accepted.

const HEADER: &str = "provider,region,instance_type,architecture,vcpus,memory,gpus,pods,on_demand_usd_per_hour,spot_usd_per_hour,interruptions_per_hour,interruption_band";

fn read(text: &str) -> Result<Catalogue, Vec<PriceError>> {
    Catalogue::built_in().with_price_csv(text.as_bytes(), "prices.csv")
}

#[test]
fn prices_alone_override_a_known_type_and_leave_the_rest() {
    let before = Catalogue::built_in();
    let known = before
        .get(Provider::Gcp, "europe-west1", "e2-standard-4")
        .unwrap();
    let after =
        read("provider,region,instance_type,on_demand_usd_per_hour\ngcp,europe-west1,e2-standard-4,0.1\n").unwrap();
    let row = after
        .get(Provider::Gcp, "europe-west1", "e2-standard-4")
        .unwrap();
    let source = format!("prices.csv, line 2; what it leaves out: {}", known.source);
    assert_eq!(
        row,
        &InstanceType {
            on_demand_usd_per_hour: Some(0.1),
            source,
            ..known.clone()
        }
    );
    assert!(row.spot_usd_per_hour.is_some());
    assert_eq!(after.iter().count(), before.iter().count());
    let others = |catalogue: &Catalogue| {
        catalogue
            .iter()
            .filter(|row| row.instance_type != "e2-standard-4")
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(others(&after), others(before));
}

#[test]
fn a_known_type_in_a_new_region_takes_its_shape_and_only_the_stated_price() {
    let after = read("region,provider,spot_usd_per_hour,on_demand_usd_per_hour,instance_type\neu-west-1,aws,0.03,,m7g.large\n").unwrap();
    let row = after.get(Provider::Aws, "eu-west-1", "m7g.large").unwrap();
    assert_eq!(
        row.shape(),
        *Catalogue::built_in()
            .shape(Provider::Aws, "m7g.large")
            .unwrap()
    );
    assert_eq!(
        (
            row.on_demand_usd_per_hour,
            row.spot_usd_per_hour,
            row.spot_interruptions_per_hour
        ),
        (None, Some(0.03), None)
    );
    assert_eq!(row.source, "prices.csv, line 2");
}

#[test]
fn a_new_type_is_added_with_allocatable_by_formula() {
    let text = format!(
        "{HEADER}\naws,eu-west-1,m99g.large,arm64,2,8Gi,1,29,0.09,0.03,0.002,\nazure,westeurope,Standard_D4s_v99,,4,16Gi,,,0.2,,,3\n"
    );
    let after = read(&text).unwrap();
    let aws = after.get(Provider::Aws, "eu-west-1", "m99g.large").unwrap();
    // As m7g.large in Karpenter's table.
    assert_eq!(
        (
            aws.allocatable.cpu_mcores,
            aws.allocatable.memory_bytes,
            aws.allocatable.gpus
        ),
        (1930, 6844 * MIB, 1)
    );
    assert_eq!(aws.spot_interruptions_per_hour, Some(0.002));
    let azure = after
        .get(Provider::Azure, "westeurope", "Standard_D4s_v99")
        .unwrap();
    assert_eq!(
        (
            azure.architecture.as_str(),
            azure.gpus,
            azure.allocatable.pods
        ),
        ("amd64", 0, 250)
    );
    assert!((azure.spot_interruptions_per_hour.unwrap() * 730.0 - 0.175).abs() < 1e-12);
    assert_eq!(
        after.shape(Provider::Azure, "Standard_D4s_v99"),
        Some(&azure.shape())
    );
}

#[test]
fn a_stated_pod_limit_changes_allocatable_in_its_region_alone() {
    let text = "provider,region,instance_type,pods,on_demand_usd_per_hour\nazure,westeurope,Standard_D8s_v5,30,\n";
    let after = read(text).unwrap();
    let here = after
        .get(Provider::Azure, "westeurope", "Standard_D8s_v5")
        .unwrap();
    assert_eq!(
        (here.allocatable.pods, here.allocatable.memory_bytes),
        (30, 32 * GIB - 750 * MIB)
    );
    assert_eq!(
        after
            .get(Provider::Azure, "eastus", "Standard_D8s_v5")
            .unwrap()
            .allocatable
            .pods,
        250
    );
    assert_eq!(
        after
            .shape(Provider::Azure, "Standard_D8s_v5")
            .unwrap()
            .allocatable
            .pods,
        250
    );
}

#[test]
fn a_spreadsheets_file_is_read() {
    let text = "\u{feff}# ours\r\n\r\nprovider , region,instance_type,on_demand_usd_per_hour\r\n\"aws\",us-east-1,m7g.large, 8.5e-2\r\n";
    let row = read(text).unwrap();
    assert_eq!(
        row.get(Provider::Aws, "us-east-1", "m7g.large")
            .unwrap()
            .on_demand_usd_per_hour,
        Some(0.085)
    );
}

#[test]
fn price_files_stack() {
    let first = read(&format!("{HEADER}\ngcp,us-east1,x1,,4,16Gi,,,0.2,,,\n")).unwrap();
    let second = first
        .with_price_csv(
            b"provider,region,instance_type,on_demand_usd_per_hour\ngcp,us-east1,x1,0.3\n",
            "b.csv",
        )
        .unwrap();
    assert_eq!(
        second
            .get(Provider::Gcp, "us-east1", "x1")
            .unwrap()
            .on_demand_usd_per_hour,
        Some(0.3)
    );
}

// What is refused.

/// `line: column "value"` of each mistake; each message must also name the file and what was expected.
fn mistakes(text: &str) -> Vec<String> {
    let errors = read(text).expect_err(text);
    for error in &errors {
        let message = error.to_string();
        assert!(
            message.starts_with(&format!("prices.csv:{}: ", error.line)),
            "{message}"
        );
        assert!(
            message.contains("expected ") && !error.expected.is_empty(),
            "{message}"
        );
    }
    errors
        .iter()
        .map(|error| format!("{}: {} {:?}", error.line, error.column, error.value))
        .collect()
}

#[test]
fn each_bad_cell_is_refused_by_line_column_and_value() {
    let good = [
        "gcp",
        "europe-west1",
        "new-1",
        "amd64",
        "4",
        "16Gi",
        "0",
        "110",
        "0.2",
        "0.1",
        "0.01",
        "",
    ];
    let columns: Vec<_> = HEADER.split(',').collect();
    let bad: [(&str, &[&str]); 11] = [
        ("provider", &["", "gce", "AWS", "other"]),
        ("region", &["", "europe west1", "ünion"]),
        ("instance_type", &["", "a/b", "\u{1b}[31m"]),
        ("architecture", &["x86_64", "ARM64"]),
        ("vcpus", &["", "0", "-1", "1.5", "65537", "NaN"]),
        ("memory", &["", "16", "-16Gi", "16 GB", "1e99", "NaN"]),
        ("gpus", &["-1", "1025", "one"]),
        ("pods", &["0", "10001", "1e2"]),
        (
            "on_demand_usd_per_hour",
            &["-0.2", "0", "NaN", "inf", "1e7", "$0.2", "0,2"],
        ),
        ("spot_usd_per_hour", &["-0.1", "0", "nan", "-inf", "free"]),
        ("interruptions_per_hour", &["-0.01", "NaN", "inf", "3601"]),
    ];
    assert!(read(&format!("{HEADER}\n{}\n", good.join(","))).is_ok());
    for (column, values) in bad {
        for &value in values {
            let mut cells = good.map(|cell| format!("\"{cell}\""));
            cells[columns.iter().position(|&name| name == column).unwrap()] =
                format!("\"{value}\"");
            let text = format!("{HEADER}\n{}\n", cells.join(","));
            assert_eq!(
                mistakes(&text),
                [format!("2: {column} {value:?}")],
                "{column} {value}"
            );
        }
    }
    let row =
        |rate, band| format!("{HEADER}\ngcp,europe-west1,new-1,,4,16Gi,,,0.2,,{rate},{band}\n");
    assert_eq!(mistakes(&row("", "5")), ["2: interruption_band \"5\""]);
    assert_eq!(mistakes(&row("0.1", "2")), ["2: interruption_band \"2\""]);
}

#[test]
fn all_mistakes_of_all_rows_come_at_once_with_their_lines() {
    let text = "# comment\nprovider,region,instance_type,vcpus,memory,on_demand_usd_per_hour,colour\n\n# more\n\
                aws,us-east-1,unheard.of,2,,-1,red\nnowhere,us-east-1,m7g.large,,,NaN,\n\n\
                aws,us-east-1,m7g.large,,,0.1\ngcp,europe-west1,e2-standard-2,,,0.1,\ngcp,europe-west1,e2-standard-2,,,0.2,\n";
    assert_eq!(
        mistakes(text),
        [
            "2: header \"colour\"",
            "5: memory \"\"",
            "5: pods \"\"",
            "5: on_demand_usd_per_hour \"-1\"",
            "6: provider \"nowhere\"",
            "6: on_demand_usd_per_hour \"NaN\"",
            "8: row \"6 cells\"",
            "10: instance_type \"e2-standard-2\"",
        ]
    );
}

#[test]
fn a_row_without_any_known_price_is_refused() {
    let text = "provider,region,instance_type,on_demand_usd_per_hour\naws,eu-west-1,m7g.large,\n";
    assert_eq!(mistakes(text), ["2: on_demand_usd_per_hour \"\""]);
}

#[test]
fn a_duplicate_names_the_line_it_repeats_even_when_both_are_bad() {
    let text = "provider,region,instance_type,on_demand_usd_per_hour\naws,us-east-1,m7g.large,x\naws,us-east-1,m7g.large,x\n";
    let errors = read(text).unwrap_err();
    assert_eq!(errors.len(), 3);
    assert!(
        errors
            .iter()
            .any(|error| error.line == 3 && error.expected.contains("line 2")),
        "{errors:?}"
    );
}

#[test]
fn header_mistakes_are_refused() {
    assert_eq!(mistakes(""), ["1: header \"\""]);
    assert_eq!(mistakes("\u{feff}"), ["1: header \"\""]);
    assert_eq!(mistakes("# only a comment\n\n"), ["1: header \"\""]);
    assert_eq!(mistakes(&format!("{HEADER}\n")), ["1: file \"\""]);
    assert_eq!(
        mistakes("aws,us-east-1,m7g.large,0.1\n"),
        ["1: header \"aws,us-east-1,m7g.large,0.1\""]
    );
    let repeated = "provider,region,region,instance_type,on_demand_usd_per_hour\naws,us-east-1,us-east-1,m7g.large,0.1\n";
    assert_eq!(mistakes(repeated), ["1: header \"region\""]);
    let errors = read("provider,colour\naws,red\n").unwrap_err();
    let expected: Vec<_> = errors.iter().map(|error| error.expected.as_str()).collect();
    assert_eq!(
        expected[1..],
        [
            "the column region",
            "the column instance_type",
            "the column on_demand_usd_per_hour"
        ]
    );
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let errors = Catalogue::built_in()
        .with_price_csv(b"provider,region\naws,\xff\xfe\n", "latin.csv")
        .unwrap_err();
    assert_eq!(errors.len(), 1);
    assert_eq!(
        errors[0].to_string(),
        "latin.csv:2: file \"byte 0xff\": expected UTF-8 text"
    );
}

#[test]
fn a_file_too_large_and_a_flood_of_mistakes_end_early() {
    let large = vec![b'\n'; MAX_PRICE_FILE_BYTES + 1];
    let errors = Catalogue::built_in()
        .with_price_csv(&large, "large.csv")
        .unwrap_err();
    assert!(
        errors.len() == 1
            && errors[0]
                .to_string()
                .contains(&MAX_PRICE_FILE_BYTES.to_string()),
        "{errors:?}"
    );
    let flood = format!("{HEADER}\n{}", "x\n".repeat(10 * MAX_ERRORS));
    assert_eq!(mistakes(&flood).len(), MAX_ERRORS + 1);
    let wide = format!("{HEADER}{}\nx\n", ",x".repeat(100 * MAX_ERRORS));
    assert!(mistakes(&wide).len() <= MAX_ERRORS + 1);
}

#[test]
fn a_long_value_is_cut_in_the_message() {
    let text = format!(
        "provider,region,instance_type,on_demand_usd_per_hour\naws,us-east-1,{},0.1\n",
        "é".repeat(10_000)
    );
    let errors = read(&text).unwrap_err();
    assert_eq!(
        errors[0].value.chars().count(),
        PriceError::LONGEST_VALUE + 1
    );
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Catalogue::built_in().with_price_csv(&bytes, "noise.csv");
    }

    #[test]
    fn no_cells_make_the_reader_panic(rows in "([a-z0-9.,\"#\n -]{0,40}\n){0,8}") {
        let _ = Catalogue::built_in().with_price_csv(format!("{HEADER}\n{rows}").as_bytes(), "noise.csv");
    }
}
