package peers;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/** Says once, when the first record arrives, how much processor time starting took: "started CPU_SECONDS". */
final class Meter {
  private static boolean started = false;

  private Meter() {}

  static void record() {
    if (!started) {
      started = true;
      OperatingSystemMXBean system = (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
      System.out.printf("started %.2f%n", system.getProcessCpuTime() / 1e9);
    }
  }
}
