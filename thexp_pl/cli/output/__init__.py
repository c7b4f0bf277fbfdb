"""What the commands print: tables for people, the same in forms for machines."""
