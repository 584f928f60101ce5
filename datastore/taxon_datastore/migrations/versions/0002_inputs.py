"""Rows with text, booleans and missing values in the prediction log."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column for rows that are not numbers alone: a JSON array, in the same order."""
    op.execute("ALTER TABLE predictions ADD COLUMN inputs jsonb")


def downgrade() -> None:
    """Remove the column."""
    op.execute("ALTER TABLE predictions DROP COLUMN inputs")
