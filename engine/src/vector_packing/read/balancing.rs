//! Cloud balancing: processes onto computers of which each costs what it costs, once, when it is used.

use serde::Deserialize;

use super::{Bin, Instance, Item, MOST};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    computer_list: Vec<Computer>,
    process_list: Vec<Process>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Computer {
    cpu_power: i64,
    memory: i64,
    network_bandwidth: i64,
    cost: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Process {
    required_cpu_power: i64,
    required_memory: i64,
    required_network_bandwidth: i64,
}

pub(super) fn read(text: &str) -> Result<Instance, Vec<String>> {
    let file: File = serde_json::from_str(text).map_err(|error| vec![error.to_string()])?;
    let bins: Vec<Bin> = file
        .computer_list
        .into_iter()
        .map(|computer| Bin {
            capacity: vec![
                computer.cpu_power,
                computer.memory,
                computer.network_bandwidth,
            ],
            cost: computer.cost,
            count: Some(1),
        })
        .collect();
    let items: Vec<Item> = file
        .process_list
        .into_iter()
        .map(|process| Item {
            size: vec![
                process.required_cpu_power,
                process.required_memory,
                process.required_network_bandwidth,
            ],
            count: 1,
        })
        .collect();
    let fits = |value: &i64| (0..=MOST).contains(value);
    let mut faults = Vec::new();
    for (index, bin) in bins.iter().enumerate() {
        if !bin.capacity.iter().all(fits) || bin.cost > MOST.unsigned_abs() {
            faults.push(format!(
                "computerList[{index}]: capacities and cost must be from 0 to {MOST}"
            ));
        }
    }
    for (index, item) in items
        .iter()
        .enumerate()
        .filter(|(_, item)| !item.size.iter().all(fits))
    {
        faults.push(format!(
            "processList[{index}]: needs {:?}, which must be from 0 to {MOST}",
            item.size
        ));
    }
    if bins.is_empty() {
        faults.push("computerList: is empty".to_owned());
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    Instance::new(bins, items).ok_or_else(|| vec!["too many equal processes".to_owned()])
}
