"""The benchmarks, and the scripted model server they and the tests of faults share."""
