import Testing
import Virtio

@testable import Apus

@Suite struct DeviceSetStateTests {
  private func device(_ name: String, _ type: VirtioDeviceIdentifier = .block) -> DeviceSetState.Device {
    DeviceSetState.Device(
      name: name,
      identifier: type.rawValue,
      offered: [.version1, .eventIndex, VirtioFeatures(bit: 9)],
      accepted: [.version1],
      queueSizes: [128]
    )
  }

  @Test func sameDevicesFit() {
    let state = DeviceSetState(devices: [device("block0"), device("network1", .network)])

    #expect(state.mismatches(with: state) == [])
  }

  @Test func otherDevicesAndAnotherOrderAreToldWithBothLists() {
    let here = DeviceSetState(devices: [device("network0", .network), device("block1")])
    let there = DeviceSetState(devices: [device("block0"), device("network1", .network)])

    #expect(
      here.mismatches(with: there) == [
        "the snapshot's devices are block0, network1, and this machine's network0, block1; give the same ones in the same "
          + "order"
      ]
    )
    #expect(DeviceSetState(devices: []).mismatches(with: there).count == 1)
  }

  @Test func allThatDiffersIsToldAtOnce() {
    let there = DeviceSetState(devices: [device("block0"), device("vhostUser1"), device("network2", .network)])
    var here = there
    here.devices[0].queueSizes = [128, 128]
    here.devices[1].identifier = 26
    here.devices[2].offered = [.eventIndex]

    #expect(
      here.mismatches(with: there) == [
        "block0: it had queues of 128 descriptors, and here it has queues of 128, 128 descriptors; give the same",
        "vhostUser1: it was a device of type 2, and here it is one of type 26; give the same type",
        "network2: what is behind it here lacks feature 32, which its driver was given; give what was behind it",
      ]
    )
  }

  @Test func featureThatTheDriverHasNotTakenMayBeMissingOnceItHasChosen() {
    var there = DeviceSetState(devices: [device("block0")])
    var here = there
    here.devices[0].offered = [.version1]
    let chosen = here.mismatches(with: there)
    there.devices[0].accepted = nil

    #expect(chosen == [])
    #expect(
      here.mismatches(with: there) == [
        "block0: what is behind it here lacks feature 9, 29, which its driver was given; give what was behind it"
      ]
    )
  }

  @Test func partsThatAreMissingTwiceThereOrLeftOverAreAllNamed() {
    let state = DeviceSetState(devices: [])
    var parts = StateParts([StatePart("a", state), StatePart("a", state), StatePart("b", state), StatePart("c", state)])

    let taken = parts.take("a", as: DeviceSetState.self)
    let missing = parts.take("d", as: DeviceSetState.self)
    let other = parts.take("b", as: ScratchRegistersState.self)
    parts.finish()

    #expect(taken == state && missing == nil && other == nil)
    #expect(
      parts.problems == [
        "the snapshot has 'a' twice; it is damaged", "the snapshot lacks 'd'; it is damaged, or another machine's",
        "b: a state of platform-registers is wanted, and this is one of devices",
        "the snapshot has 'c', which this machine has not; give the machine what it had",
      ]
    )
  }
}
