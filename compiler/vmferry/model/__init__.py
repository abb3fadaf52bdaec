"""The types that pass between the stages: spec, assignments, Blueprint, findings."""
