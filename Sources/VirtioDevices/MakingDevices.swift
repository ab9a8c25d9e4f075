public import GuestMemory
public import SCMI

// Where a generic class is made of types that are known, the compiler has the runtime find out what they conform to, by
// name and in all that is linked in: 150,000 instructions a device, more than the device takes until its guest has
// booted. These functions stay generic, so that each is handed what the caller knows at compile time.

/// Makes a block device; see ``BlockDevice/init(name:backend:serial:queueCount:queueSize:)``.
@inline(never)
@_semantics("optimize.sil.specialize.generic.never")
public func makeBlockDevice<Backend: BlockBackend>(
  name: String,
  backend: Backend,
  serial: String,
  queueCount: Int
) -> BlockDevice<Backend> {
  BlockDevice(name: name, backend: backend, serial: serial, queueCount: queueCount)
}

/// Makes a network device; see ``NetworkDevice/init(name:backend:mac:mtu:)``.
@inline(never)
@_semantics("optimize.sil.specialize.generic.never")
public func makeNetworkDevice<Backend: NetworkBackend>(
  name: String,
  backend: Backend,
  mac: [UInt8],
  mtu: UInt16
) -> NetworkDevice<Backend> {
  NetworkDevice(name: name, backend: backend, mac: mac, mtu: mtu)
}

/// Makes a console device; see ``ConsoleDevice/init(name:ports:columns:rows:)``.
@inline(never)
@_semantics("optimize.sil.specialize.generic.never")
public func makeConsoleDevice<Port: ConsolePort>(
  name: String,
  ports: [(ConsolePortDescription, Port)]
) -> ConsoleDevice<Port> {
  ConsoleDevice(name: name, ports: ports)
}

/// Makes an entropy device; see ``EntropyDevice/init(name:source:)``.
@inline(never)
@_semantics("optimize.sil.specialize.generic.never")
public func makeEntropyDevice<Source: EntropySource>(name: String, source: Source) -> EntropyDevice<Source> {
  EntropyDevice(name: name, source: source)
}

/// Makes an SCMI device; see ``SCMIDevice/init(name:platform:agent:timer:queueSizes:)``.
@inline(never)
@_semantics("optimize.sil.specialize.generic.never")
public func makeSCMIDevice<Timer: SCMITimer>(
  name: String,
  platform: SharedPlatform,
  agent: Int,
  timer: Timer,
  queueSizes: (command: UInt16, event: UInt16) = (QueueSize.scmiCommand, QueueSize.scmiEvent)
) -> SCMIDevice<Timer> {
  SCMIDevice(name: name, platform: platform, agent: agent, timer: timer, queueSizes: queueSizes)
}

/// Makes a memory device; see ``MemoryDevice/init(name:backend:region:blockSize:requestedSize:)``.
@inline(never)
@_semantics("optimize.sil.specialize.generic.never")
public func makeMemoryDevice<Backend: MemoryBackend>(
  name: String,
  backend: Backend,
  region: GuestRange,
  blockSize: UInt64,
  requestedSize: UInt64
) -> MemoryDevice<Backend> {
  MemoryDevice(name: name, backend: backend, region: region, blockSize: blockSize, requestedSize: requestedSize)
}
