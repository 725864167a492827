//! Which modules of a script import from each other, and the networks that they become: one for each module that stands alone,
//! and one for all modules that are linked with each other.

use std::collections::BTreeMap;
use std::convert::Infallible;

use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{ImportSection, Module};
use wasm2onnx_compiler::{Certified, Options, Preload, compile, frontend};
use wasmparser::{ImportSectionReader, Parser, Payload, WasmFeatures};

use super::host::{self, Imports};
use super::run::Stop;
use super::script::{Command, Line};

/// The networks of a script.
pub struct Networks {
    /// The networks.
    pub networks: Vec<Certified>,
    /// For each command that has a module: where that is, or why it is nowhere.
    pub of: Vec<Option<Result<Place, Stop>>>,
}

/// Where a module is.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Index of its network.
    pub network: usize,
    /// What the names of its exports begin with there. Empty if it is alone in its network; otherwise, it is created by a call
    /// of `create`.
    pub prefix: String,
}

/// A module of a script.
struct Member<'s> {
    wasm: &'s [u8],
    /// The modules of the script that it imports from, by the names that they are registered with: indices of commands.
    from: BTreeMap<&'s str, usize>,
    /// Whether the command only checks that it cannot be linked.
    refused: bool,
}

/// Compiles a script's modules.
pub fn compile_all(script: &[Line], features: WasmFeatures) -> Networks {
    let members = members(script);
    let mut networks = Networks { networks: Vec::new(), of: script.iter().map(|_| None).collect() };
    let mut done = vec![false; script.len()];
    for index in 0..script.len() {
        let Some(member) = &members[index] else { continue };
        if done[index] {
            continue;
        }
        let group = if member.refused { vec![index] } else { group(&members, index) };
        match group[..] {
            [alone] if member.from.is_empty() => {
                networks.of[alone] = Some(compile_alone(member.wasm, features).map(|network| {
                    networks.networks.push(network);
                    Place { network: networks.networks.len() - 1, prefix: String::new() }
                }));
            }
            _ => compile_group(&members, &group, features, &mut networks),
        }
        group.into_iter().for_each(|member| done[member] = true);
    }
    networks
}

/// Returns the module of each command that has one.
fn members(script: &[Line]) -> Vec<Option<Member<'_>>> {
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut registered: BTreeMap<&str, usize> = BTreeMap::new();
    let mut current = None;
    let mut members = Vec::new();
    for (index, Line { command, .. }) in script.iter().enumerate() {
        let mut refused = false;
        let wasm = match command {
            Command::Module { name, wasm } => {
                current = Some(index);
                names.extend(name.as_deref().map(|name| (name, index)));
                Some(wasm)
            }
            Command::ModuleTraps(wasm, _) => Some(wasm),
            Command::Unlinkable(wasm, _) => {
                refused = true;
                Some(wasm)
            }
            Command::Register { name, module } => {
                let module = module.as_deref().map_or(current, |module| names.get(module).copied());
                registered.extend(module.map(|module| (name.as_str(), module)));
                None
            }
            _ => None,
        };
        members.push(wasm.map(|wasm| {
            let from = |imports: Imports| {
                let names = imports.modules();
                names
                    .filter_map(|name| registered.get_key_value(name))
                    .map(|(name, index)| (*name, *index))
                    .collect()
            };
            Member { wasm, from: Imports::of(wasm).map(from).unwrap_or_default(), refused }
        }));
    }
    members
}

/// Returns the modules that are linked with a module, directly or by others, in order.
fn group(members: &[Option<Member>], first: usize) -> Vec<usize> {
    let mut group = vec![first];
    loop {
        let before = group.len();
        for (index, member) in members.iter().enumerate() {
            let Some(member) = member.as_ref().filter(|member| !member.refused) else { continue };
            let linked = member.from.values().any(|from| group.contains(from));
            if linked && !group.contains(&index) {
                group.push(index);
            }
            if group.contains(&index) {
                let from = member.from.values().filter(|from| !group.contains(from)).copied();
                let from: Vec<usize> = from.collect();
                group.extend(from);
            }
        }
        if group.len() == before {
            group.sort_unstable();
            return group;
        }
    }
}

fn compile_alone(wasm: &[u8], features: WasmFeatures) -> Result<Certified, Stop> {
    check_names(wasm, |_, _| false)?;
    Ok(compile(wasm, &host::options(features))?)
}

/// Checks that everything exists that a module imports. `exists` says it of what is not of `spectest`.
fn check_names(wasm: &[u8], exists: impl Fn(&str, &str) -> bool) -> Result<(), Stop> {
    let imports = Imports::of(wasm).map_err(|error| Stop::Invalid(error.to_string()))?;
    let names = host::names();
    let exists = |module: &str, name: &str| match module {
        "spectest" => names.iter().any(|other| other == name),
        _ => exists(module, name),
    };
    match imports.unknown(exists) {
        Some(name) => Err(Stop::Unlinkable(format!("there is no {name}"))),
        None => Ok(()),
    }
}

/// Compiles modules that are linked with each other. Those that cannot be linked are left out.
fn compile_group(
    members: &[Option<Member>],
    group: &[usize],
    features: WasmFeatures,
    networks: &mut Networks,
) {
    let mut options = Options { staged: true, ..host::options(features) };
    // What a module that is only to be refused imports from must be there, too.
    let needed: Vec<usize> = match group {
        [only] => {
            let from = members[*only].as_ref().expect("it is a module").from.values();
            let mut needed: Vec<usize> =
                from.flat_map(|from| self::group(members, *from)).filter(|index| index < only).collect();
            needed.sort_unstable();
            needed.dedup();
            needed.push(*only);
            needed
        }
        _ => group.to_vec(),
    };
    for index in needed {
        let member = members[index].as_ref().expect("it is a module");
        let linked = link(member, index, members, &options);
        let of = linked.map(|preload| {
            options.preloads.push(preload);
            Place { network: networks.networks.len(), prefix: format!("m{index}/") }
        });
        if group.contains(&index) {
            networks.of[index] = Some(of);
        }
    }
    if group.iter().all(|index| matches!(networks.of[*index], Some(Err(_)))) {
        return;
    }
    match compile(b"(module)", &options) {
        Ok(network) => networks.networks.push(network),
        Err(error) => {
            let stop = Stop::from(error);
            group.iter().for_each(|index| networks.of[*index] = Some(Err(stop.clone())));
        }
    }
}

/// Returns a module so that it can be linked with those before it.
fn link(
    member: &Member,
    index: usize,
    members: &[Option<Member>],
    options: &Options,
) -> Result<Preload, Stop> {
    check_names(member.wasm, |module, name| {
        member.from.get(module).is_some_and(|from| {
            let from = members[*from].as_ref().expect("it is a module");
            exports(from.wasm).iter().any(|export| export == name)
        })
    })?;
    let preload = Preload { name: format!("m{index}"), module: renamed(member)? };
    let mut options = options.clone();
    options.preloads.push(preload.clone());
    frontend::parse(b"(module)", &options)?;
    Ok(preload)
}

/// Returns the names of a module's exports.
fn exports(wasm: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(wasm) {
        if let Ok(Payload::ExportSection(section)) = payload {
            names.extend(section.into_iter().flatten().map(|export| export.name.to_owned()));
        }
    }
    names
}

/// Returns a module that imports from modules of the script by names of their own, since scripts use a name for several.
fn renamed(member: &Member) -> Result<Vec<u8>, Stop> {
    struct Renamer<'m>(&'m Member<'m>);
    impl Reencode for Renamer<'_> {
        type Error = Infallible;

        fn parse_import_section(
            &mut self,
            imports: &mut ImportSection,
            section: ImportSectionReader<'_>,
        ) -> Result<(), reencode::Error<Infallible>> {
            for import in section.into_imports() {
                let import = import?;
                let name = self.0.from.get(import.module).map(|index| format!("m{index}"));
                imports.import(
                    name.as_deref().unwrap_or(import.module),
                    import.name,
                    self.entity_type(import.ty)?,
                );
            }
            Ok(())
        }
    }
    let mut module = Module::new();
    match Renamer(member).parse_core_module(&mut module, Parser::new(0), member.wasm) {
        Ok(()) => Ok(module.finish()),
        Err(error) => Err(Stop::Invalid(error.to_string())),
    }
}
