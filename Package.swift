// swift-tools-version: 6.2
// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import PackageDescription

/// Every Swift target is built in Swift 6 mode with the same strictness; a warning is an error.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// A released program is one file without shared libraries: nothing is left to load and relocate, so it starts in a third of the
/// time, and a machine that runs it needs nothing else. libelf's own needs are not in its pkg-config `Libs`, hence zlib.
let selfContained: [LinkerSetting] = [
    .unsafeFlags(["-static-executable"], .when(configuration: .release)), .linkedLibrary("z", .when(configuration: .release)),
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let systemPackage: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")

/// BPFLink, for a module that holds its values. What BPFLink is made of is named as well, though nothing of it is imported: SwiftPM
/// compiles a module again only if one that it names has changed, and values of all these have a size of their own.
let linkLibrary: [Target.Dependency] = ["BPFLink", "BPFKernel", "BPFLinker", "BPFObject"]

let package = Package(
    name: "bpflink",
    products: [
        // What bpflink can do, for programs that embed it.
        .library(name: "BPFLink", targets: ["BPFLink"]),
        .executable(name: "bpflink", targets: ["bpflink"]),
        .executable(name: "bpflink-vm", targets: ["bpflink-vm"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.4.0"),
    ],
    targets: [
        // C libraries: a module map and a shim header each, nothing else.
        .systemLibrary(name: "CLibbpf", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev"])]),
        .systemLibrary(name: "CLibelf", pkgConfig: "libelf", providers: [.apt(["libelf-dev"])]),
        .systemLibrary(name: "CLibcap", pkgConfig: "libcap", providers: [.apt(["libcap-dev"])]),
        .systemLibrary(name: "CBPFLinkUAPI"),
        .systemLibrary(name: "CLinuxSystem"),

        // The linker: bytes → values → plan → kernel → words. Arrows point one way.
        .target(name: "BPFObject", dependencies: ["CLibelf"], swiftSettings: strict),
        .target(name: "BPFLinker", dependencies: ["BPFObject"], swiftSettings: strict),
        .target(
            name: "BPFKernel",
            dependencies: ["BPFLinker", "BPFObject", "CLibbpf", "CLibcap", "CBPFLinkUAPI", systemPackage],
            swiftSettings: strict),
        .target(
            name: "BPFLink", dependencies: ["BPFKernel", "BPFLinker", "BPFObject", systemPackage], swiftSettings: strict),
        .target(
            name: "BPFLinkCommands", dependencies: linkLibrary + [argumentParser, systemPackage],
            swiftSettings: strict),
        .executableTarget(
            name: "bpflink", dependencies: ["BPFLinkCommands"], swiftSettings: strict, linkerSettings: selfContained),

        .executableTarget(
            name: "embedding-example", dependencies: linkLibrary + ["CLibbpf"], path: "Examples/embedding", swiftSettings: strict),

        // The VM runner knows nothing of BPF.
        .target(name: "VMProtocol", swiftSettings: strict),
        .target(name: "VMRunner", dependencies: ["VMProtocol", "CLinuxSystem", systemPackage], swiftSettings: strict),
        .executableTarget(name: "bpflink-vm", dependencies: ["VMRunner", argumentParser], swiftSettings: strict),
        .executableTarget(name: "bpflink-vm-guest", dependencies: ["VMProtocol", "CLinuxSystem"], swiftSettings: strict,
            // Every byte of it goes into every machine's memory and snapshot.
            linkerSettings: [.unsafeFlags(["-Xlinker", "-s"], .when(configuration: .release))]),

        // The integration suite: an executable that runs inside the booted kernel.
        .executableTarget(
            name: "bpflink-guest-tests",
            dependencies: [
                "BPFKernel", "BPFLink", "BPFLinkCommands", "BPFLinker", "BPFObject", "CLibbpf", "CLibcap", "CBPFLinkUAPI", "CLinuxSystem",
                "LoadComparison", "TestFixtures", systemPackage,
            ],
            path: "Tests/Guest", swiftSettings: strict),

        // The compiled Tests/Fixtures/*.bpf.c, for every suite that reads objects.
        .target(name: "TestFixtures", path: "Tests/TestFixtures", swiftSettings: strict),
        // Whether an object is loaded as libbpf alone would load it: what the kernel has of it.
        .target(
            name: "LoadComparison", dependencies: ["BPFObject", "CLibbpf", "TestFixtures"], path: "Tests/LoadComparison",
            swiftSettings: strict),
        .testTarget(name: "BPFObjectTests", dependencies: ["BPFObject", "TestFixtures"], swiftSettings: strict),
        .testTarget(
            name: "BPFLinkerTests", dependencies: ["BPFLinker", "BPFObject", "CLibbpf", "TestFixtures"],
            swiftSettings: strict),
        .testTarget(
            name: "BPFKernelTests",
            dependencies: ["BPFKernel", "BPFLinker", "BPFObject", "CLibbpf", "LoadComparison", "TestFixtures", systemPackage],
            swiftSettings: strict),
        // The bpflink command itself, on whatever kernel runs.
        .testTarget(
            name: "HostTests", dependencies: ["BPFLinker", "BPFObject", "TestFixtures", "bpflink", "embedding-example"],
            swiftSettings: strict),
        .testTarget(
            name: "BPFLinkCommandsTests", dependencies: linkLibrary + ["BPFLinkCommands", "TestFixtures", "bpflink"],
            exclude: ["Cases"], swiftSettings: strict),
        // The guest tests boot machines with the agent that is built beside them.
        .testTarget(
            name: "VMRunnerTests", dependencies: ["VMRunner", "VMProtocol", "bpflink-vm-guest", systemPackage],
            swiftSettings: strict),
        .testTarget(name: "ArchitectureTests", dependencies: ["TestFixtures"], swiftSettings: strict),
    ]
)
