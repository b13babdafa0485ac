"""The tests: pure rooms in unit, real servers in integration, real processes in end_to_end, figures in benchmarks."""
